"""Code as a part of what a cache is known by: what other code made is made anew."""

from __future__ import annotations

import functools
import inspect
from pathlib import Path
from typing import Any

from datasets.fingerprint import Hasher

PACKAGE = Path(__file__).parents[1]


@functools.cache
def code_of_rooms(*rooms: str) -> tuple[str, ...]:
    """The code of rooms of this package, as it is on disk: compiled where its sources are not."""
    files = (path for room in rooms for path in _files(PACKAGE / room))
    return tuple(path.read_text(encoding="utf-8", errors="backslashreplace") for path in files)


def _files(room: Path) -> list[Path]:
    compiled = (path for path in room.rglob("*.pyc") if path.parent.name != "__pycache__")
    return sorted(room.rglob("*.py")) or sorted(compiled)


def code_of(kind: Any) -> str:
    """The code of the module that defines a class, which users may have written."""
    try:
        return inspect.getsource(inspect.getmodule(kind) or kind)
    except (OSError, TypeError):  # defined in an interactive session: hashed by value
        return Hasher.hash(kind)


def code_of_classes(kind: type, base: type) -> list[str]:
    """The code of the modules that define a class and its parents, as far as they are of a kind."""
    return [code_of(parent) for parent in kind.__mro__ if issubclass(parent, base)]
