"""Names of a package that are imported when they are first used (PEP 562), so that only what is used takes time."""

import dis
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import Any


def lazy_names(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """
    Makes the names of a package that its `__init__.py` imports under `if TYPE_CHECKING`, and its modules, importable.

    Those lines are the one list of the names: type checkers and editors read them, and so does this function, as they
    are compiled, so that a package without its sources has them too. There, other imports stand before this call.

    Args:
        package (`str`): its `__name__`, while it is imported.

    Returns:
        Its `__getattr__`, `__dir__` and `__all__`.

    Raises (by `__getattr__`):
        `AttributeError`: there is no such name.
        `ImportError`: the module that should have it cannot be imported.
    """
    module = sys.modules[package]
    homes = dict(_imports_for_types(module))

    def __getattr__(name: str) -> Any:
        if name in homes:
            found = _take(importlib.util.resolve_name(homes[name], package), name)
            setattr(module, name, found)
            return found
        if name.isidentifier() and not name.startswith("_") and importlib.util.find_spec(f"{package}.{name}"):
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*vars(module), *homes})

    return __getattr__, __dir__, sorted(homes)


def _imports_for_types(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Each name that is imported under `if TYPE_CHECKING`, where nothing has run, with the module that has it."""
    level, home = 0, ""
    for step in dis.get_instructions(_code_of(module)):
        if step.opname.startswith("LOAD") and isinstance(step.argval, int):  # comes before each import
            level = step.argval
        elif step.opname == "IMPORT_NAME":
            home = "." * level + step.argval
        elif step.opname == "IMPORT_FROM" and step.argval not in vars(module):
            yield step.argval, home


def _code_of(module: ModuleType) -> CodeType:
    assert module.__spec__ is not None
    return module.__spec__.loader.get_code(module.__name__)  # type: ignore[union-attr]


def _take(home: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(home), name)
    except AttributeError as error:  # which the import system takes for a missing name, whoever raised it
        raise ImportError(f"cannot import name {name!r} from {home!r}: {error}") from error
