"""Files known by their content."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

BLOCK_BYTES = 2**20


def hash_files(paths: Iterable[str | Path]) -> str:
    """
    SHA-256, in hexadecimal, over the contents of files as if they were one.

    Args:
        paths (iterable of `str` or `Path`): the files, in order. They are read a mebibyte at a time.

    Raises:
        `OSError`: one cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()
