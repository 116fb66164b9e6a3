"""Paths as users write them."""

import os
from pathlib import Path


def user_path(path: str | os.PathLike[str]) -> Path:
    """
    The path that a user means: a `~` at its start is a home folder, as shells have it, where there is such a user.

    A shell leaves it to us in `--output=~/runs`, and nobody else does in a recipe or in Python.
    """
    return Path(os.path.expanduser(path))
