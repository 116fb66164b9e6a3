"""Stretches of Parquet files: what of a stream is read at once, by one process."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from datasets.fingerprint import Hasher
from datasets.utils import tqdm

from .parquet import opened

FEWEST_ROWS = 64
"""Of a stretch, unless there are no more. A row group is never parted."""

MOST_STRETCHES = 2048
"""Of a split: each is found by going through all. Of so many files none is looked into, and each is one."""

MOST_OPENINGS = 256
"""Of a corpus that is no dataset: where its files lie in an archive, this is opened for each stretch."""

READERS = 16
"""Threads that look into files of the Hub."""


@dataclass(frozen=True)
class Stretch:
    """
    Row groups of a file that follow each other.

    Args:
        file (`str`): its path or address.
        groups (`tuple[int, ...]`, *optional*): their numbers; all if not given.
    """

    file: str
    groups: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Stretches:
    """
    The stretches of the files of a split.

    Args:
        items (`list[Stretch]`): in the order of the rows.
        content (`str`): known by the names of the files and the rows of their row groups, wherever they lie.
    """

    items: list[Stretch]
    content: str


def stretches_of(files: list[str], token: str | bool | None = None) -> Stretches:
    """
    Looks into the ends of Parquet files, and parts their rows.

    Args:
        files (`list[str]`): paths or addresses (`hf://`).
        token (`str` or `bool`, *optional*): for the Hub.

    Raises:
        `ValueError`: a file is damaged.
    """
    names = [os.path.basename(file) for file in files]
    if len(files) > MOST_STRETCHES:
        return Stretches([Stretch(file) for file in files], Hasher.hash(names))
    groups = _rows_of_groups(files, token)
    fewest = max(FEWEST_ROWS, -(-sum(map(sum, groups)) // MOST_STRETCHES))
    items = [Stretch(file, each) for file, rows in zip(files, groups, strict=True) for each in _parted(rows, fewest)]
    return Stretches(items, Hasher.hash([names, groups]))


def _rows_of_groups(files: list[str], token: str | bool | None) -> list[list[int]]:
    """How many rows each row group of each file holds."""

    def look_into(file: str) -> list[int]:
        with opened(file, token) as (parquet, _):
            return [parquet.metadata.row_group(number).num_rows for number in range(parquet.num_row_groups)]

    remote = any(file.startswith("hf://") for file in files)
    if not remote:
        return list(map(look_into, files))
    with ThreadPoolExecutor(READERS) as readers:
        found: Iterable[list[int]] = readers.map(look_into, files)
        return list(tqdm(found, desc="Looking into Parquet files", total=len(files), unit="file"))


def _parted(rows: list[int], fewest: int) -> Iterator[tuple[int, ...]]:
    """Row groups of a file, so many of them together that they hold so many rows; none of one without rows."""
    first = count = 0
    for number, more in enumerate(rows):
        count += more
        if count >= fewest:
            yield tuple(range(first, number + 1))
            first, count = number + 1, 0
    if first < len(rows) or not rows:
        yield tuple(range(first, len(rows)))
