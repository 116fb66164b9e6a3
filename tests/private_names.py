"""Where code uses private names of other code: those that begin with one underscore."""

import ast
import functools
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

READERS = ("getattr", "setattr", "hasattr", "delattr", "get", "pop")
"""Functions whose argument names an attribute."""


class Use(NamedTuple):
    """
    A private name in a line of a file.

    `kind` is the class that takes it of its base, if one does; it is mixed in where it calls `super()` for what a base
    has only where it is put before another class.
    """

    file: Path
    line: int
    name: str
    kind: type | None = None
    is_mixed_in: bool = False


def is_private(name: Any) -> bool:
    return isinstance(name, str) and name.startswith("_") and not name.startswith("__") and name != "_"


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def names_set_in(kind: type) -> set[str]:
    """Attributes and names that the code of a class sets or defines."""
    try:
        return names_set(ast.parse(textwrap.dedent(inspect.getsource(kind))))
    except (OSError, TypeError):  # written in C
        return set()


def names_set(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.attr if isinstance(node, ast.Attribute) else node.id)
    return found


def has(home: Any, name: str) -> bool:
    """Whether a class or its instances, a module, or a function has such an attribute or parameter, or names it."""
    if inspect.isclass(home) and any(name in names_set_in(kind) for kind in home.__mro__):
        return True
    if hasattr(home, name) or (callable(home) and name in inspect.signature(home).parameters):
        return True
    return name in getattr(getattr(inspect.unwrap(home), "__code__", None), "co_consts", ())


def uses_of_others(path: Path, own: set[str]) -> Iterator[Use]:
    """
    Uses that are not of `self`, `cls` or `super()`.

    Args:
        path (`Path`): of the code.
        own (`set[str]`): private names that are not those of others.
    """
    for node in ast.walk(tree_of(path)):
        names: list[Any] = []
        if isinstance(node, ast.Attribute) and not _is_of_self(node.value):
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [*str(node.module).split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [part for alias in node.names for part in alias.name.split(".")]
        elif isinstance(node, ast.Call):
            names = [keyword.arg for keyword in node.keywords]
            if getattr(node.func, "id", getattr(node.func, "attr", "")) in READERS:
                names += [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
        yield from (Use(path, node.lineno, name) for name in names if is_private(name) and name not in own)


def uses_of_bases(path: Path, package: Path) -> Iterator[Use]:
    """Names that classes of a file define, read, set or call, and that a base outside of the package has."""
    module = importlib.import_module(".".join(path.relative_to(package.parent).with_suffix("").parts))
    for node in tree_of(path).body:
        if not isinstance(node, ast.ClassDef):
            continue
        kind = getattr(module, node.name)
        bases = [base for base in kind.__mro__[:-1] if base.__module__.split(".")[0] != package.name]
        known = {name for base in bases for name in {*vars(base), *names_set_in(base)}}
        for inner in ast.walk(node):
            name = getattr(inner, "name", getattr(inner, "attr", getattr(inner, "id", None)))
            defined = inner in node.body or (isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store))
            taken = isinstance(inner, ast.Attribute) and _is_of_self(inner.value)
            is_mixed_in = taken and isinstance(inner.value, ast.Call) and not hasattr(super(kind, kind), str(name))
            if is_private(name) and (is_mixed_in or (name in known and (defined or taken))):
                yield Use(path, inner.lineno, name, kind, is_mixed_in)


def _is_of_self(node: ast.AST) -> bool:
    name = node.func if isinstance(node, ast.Call) else node
    return isinstance(name, ast.Name) and name.id in ("self", "cls", "super")
