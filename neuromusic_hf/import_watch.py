"""What libraries must be told of this package, told once they are imported: they are not imported for that alone."""

import copy
import importlib
import importlib.abc
import sys
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType

PACKAGE = __name__.partition(".")[0]


def after_import(name: str, act: Callable[[], None]):
    """
    Calls a function once a module has been imported: at once, or as soon as somebody imports it.

    What it imports itself is whole by then: it is called when no module of that library, nor of this package, is being
    imported any more by the same thread. What it raises comes out of the import that it follows, and it is called
    again after the next one.

    Args:
        name (`str`): of the module.
        act (`Callable`): called without arguments.
    """
    if sys.modules.get(name) is not None and not _FINDER.is_executing(name):
        for whole in with_parents(name):
            importlib.import_module(whole)  # which waits where another thread is in the midst of it
        act()
        return
    _FINDER.waiting[name] = act
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def with_parents(name: str) -> list[str]:
    """The names of the packages that hold a module, from the outermost one on, and its own."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


class _Finder(importlib.abc.MetaPathFinder):
    """Has the other finders find modules of some libraries, and learns when the outermost one has been imported."""

    def __init__(self):
        self.waiting: dict[str, Callable[[], None]] = {}
        self.executing: set[str] = set()
        self._here = threading.local()

    def is_executing(self, name: str) -> bool:
        """Whether a module, or a package that holds it, is in the midst of its import: in any thread."""
        return not self.executing.isdisjoint(with_parents(name))

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        libraries = {waiting.partition(".")[0] for waiting in list(self.waiting)}
        if not libraries or name.partition(".")[0] not in {PACKAGE, *libraries}:
            return None
        others = [finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec")]
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)
        return spec

    def load(self, loader: importlib.abc.Loader, module: ModuleType):
        outer = getattr(self._here, "outer", None)
        self._here.outer = outer or module
        self.executing.add(module.__name__)
        try:
            loader.exec_module(module)
        finally:
            self._here.outer = outer
            self.executing.discard(module.__name__)
        if outer is None:
            self._act()

    def _act(self):
        # What another thread is executing is for that one to act on.
        for name in [name for name in list(self.waiting) if name in sys.modules and not self.is_executing(name)]:
            act = self.waiting.pop(name, None)
            if act is None:  # another thread has taken it
                continue
            try:
                act()
            except BaseException:
                self.waiting[name] = act
                raise


class _Loader(importlib.abc.Loader):
    """In place of the loader of a module until that is executed."""

    def __init__(self, loader: importlib.abc.Loader, finder: _Finder):
        self._loader, self._finder = loader, finder

    def __getattr__(self, name: str):
        if name.startswith("__"):  # protocols, such as that of copies
            raise AttributeError(name)
        return getattr(self._loader, name)

    def __reduce__(self):
        return copy.copy, (self._loader,)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType):
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._finder.load(self._loader, module)


_FINDER = _Finder()
