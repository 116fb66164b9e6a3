"""What a user names by its import path (`my_package.my_module.MyClass`), in one way for all that can be named so."""

import difflib
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

Base = TypeVar("Base")


def import_class(path: str, base: type[Base], what: str) -> type[Base]:
    """
    Imports a class of a user's own.

    Args:
        path (`str`):
            Its import path. The module is found where Python finds modules: installed, or in a folder of `PYTHONPATH`.
            The current folder is none of these in scripts, and is not added: it may hold code that came with a
            download.
        base (`type`):
            What it must be a subclass of.
        what (`str`):
            What it is to its user, as errors call it: `"tokenization"`.

    Raises:
        `ValueError`: there is no such thing, its module fails, or it is no subclass of `base`; it says what to do.
    """
    return _import(path, what, f"a subclass of {_name(base)}", lambda found: _is_subclass(found, base))


def imported_class(path: str, base: type[Base]) -> type[Base] | None:
    """
    The class of an import path, if this process has it already; nothing is imported.

    Args:
        path (`str`): its import path, as a file of anyone names it.
        base (`type`): what it must be a subclass of; `None` of others.
    """
    module_name, _, name = path.rpartition(".")
    found = vars(sys.modules[module_name]).get(name) if module_name in sys.modules else None
    return found if _is_subclass(found, base) else None


def import_by_path(path: str, kind: type | tuple[type, ...], what: str) -> Any:
    """
    Imports an object of a user's own, as [`import_class`] does a class.

    Args:
        path (`str`):
            Its import path.
        kind (`type` or tuple of them):
            What it must be an instance of.
        what (`str`):
            What it is to its user, as errors call it: `"comparison"`.

    Raises:
        `ValueError`: there is no such thing, its module fails, or it is no instance of `kind`; it says what to do.
    """
    kinds = " or ".join(_name(one) for one in (kind if isinstance(kind, tuple) else (kind,)))
    return _import(path, what, f"an instance of {kinds}", lambda found: isinstance(found, kind))


def is_import_path(text: str) -> bool:
    """Whether it has the form of one, and no file or folder here has that name, which is then meant."""
    return "." in text and all(part.isidentifier() for part in text.split(".")) and not os.path.exists(text)


def _import(path: str, what: str, needed: str, fits: Callable[[Any], bool]) -> Any:
    module_name, _, name = path.rpartition(".")
    if not is_import_path(path):
        raise ValueError(
            f"No {what} {path!r}: it is no import path, such as my_package.my_module.my_name, or there is a file or "
            "folder of that name."
        )
    try:
        module = importlib.import_module(module_name)
        found = getattr(module, name, None)
    except Exception as error:  # whatever a user's module raises
        raise ValueError(f"No {what} {path!r}: {_explain(error, module_name)}") from error
    if not fits(found):
        fault = f"{path} is not {needed}" if hasattr(module, name) else f"the module {module_name} has no {name!r}"
        fitting = [other for other, value in vars(module).items() if other[0] != "_" and fits(value)]
        nearest = " or ".join(difflib.get_close_matches(name, fitting, cutoff=0)) or f"the path of {needed}"
        raise ValueError(f"No {what} {path!r}: {fault}. Give {nearest}.")
    return found


def _explain(error: Exception, module_name: str) -> str:
    if isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}."):
        return (
            f"there is no module {error.name!r}. Install it, or put the folder it lies in on PYTHONPATH "
            "(PYTHONPATH=. for the current folder)."
        )
    return f"importing {module_name} raises {type(error).__name__}: {error}. Mend it there."


def _is_subclass(found: Any, base: type) -> bool:
    return isinstance(found, type) and issubclass(found, base)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
