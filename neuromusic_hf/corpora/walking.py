"""A walk through a folder: every file once, links followed, and nothing passed over in silence."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from ..music import RefusedFile


class SourceError(ValueError):
    """A folder or archive that cannot be used at all."""


def walk(root: str | Path) -> Iterator[tuple[str, RefusedFile | None]]:
    """
    Names all files under a folder, in no order to rely on.

    Links to files and folders are followed. A folder is entered once, however many links lead to it, and none that
    holds `root`: so that links in circles end, and the same music does not come twice.

    Yields:
        The name, with `/`, and why there is nothing to read: a folder that cannot be listed (`unreadable`) or that
        another name has led to (`already_listed`), or a link to nothing (`missing`).

    Raises:
        [`SourceError`]: `root` itself cannot be listed.
    """
    entered = {_identity(parent) for parent in Path(os.path.realpath(root)).parents}
    folders, links = [""], deque[str]()
    while folders or links:  # links last: what lies in the folder itself keeps its own name
        name = folders.pop() if folders else links.popleft()
        try:
            entries = _enter(os.path.join(root, name), entered)
        except OSError as error:
            if not name:
                raise SourceError(f"The folder '{root}' cannot be listed: {error.strerror}.") from error
            yield name, RefusedFile("unreadable", f"a folder that cannot be listed: {error.strerror}")
            continue
        if entries is None:
            yield name, RefusedFile("already_listed", "a folder that another name leads to, or that holds the corpus")
        for entry in entries or ():
            own = f"{name}/{entry.name}" if name else entry.name
            if not _is_folder(entry):
                yield own, link_to_nothing(entry.path) if entry.is_symlink() else None
            else:
                (links if entry.is_symlink() else folders).append(own)


def link_to_nothing(path: str | Path) -> RefusedFile | None:
    """Why a link cannot be read that leads nowhere; `None` for all others, and for what is no link."""
    if os.path.islink(path) and not os.path.exists(path):
        return RefusedFile("missing", f"a link to '{os.readlink(path)}', where there is nothing")
    return None


def _enter(folder: str, entered: set[tuple[int, int]]) -> list[os.DirEntry] | None:
    """What the folder holds; `None` where it was entered before."""
    identity = _identity(folder)
    if identity in entered:
        return None
    entered.add(identity)
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _identity(folder: str | Path) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in circles
        return False
