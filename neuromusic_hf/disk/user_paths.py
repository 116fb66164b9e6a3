"""Paths as users write them."""

import os
from pathlib import Path


def user_path(path: str | os.PathLike[str]) -> Path:
    """
    The path that a user means: a `~` at its start is a home folder, as shells have it, where there is such a user.

    A shell leaves it to us in `--output=~/runs`, and nobody else does in a recipe or in Python.
    """
    return Path(os.path.expanduser(path))


def last_part(path: str | os.PathLike[str]) -> str:
    """The name of a folder or file, whatever way leads to it: what others may read of a path."""
    found = os.path.abspath(user_path(path))
    return "home" if found == os.path.abspath(Path.home()) else os.path.basename(found)  # which is the user's name
