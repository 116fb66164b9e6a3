"""Where the stages lay what the next ones take up: a hidden folder in the one that is prepared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..corpora.repository import PREPARING
from ..disk import whole_file, write_whole
from ..hub import CARD_NAME

DATA, TOKENS = "data", "tokens"


@dataclass(frozen=True)
class Workplace:
    """
    Files of a preparation, each of which is whole or not there.

    Args:
        folder (`Path`): that is prepared.
        tasks (`int`): that share the work of a stage.
    """

    folder: Path
    tasks: int

    @property
    def root(self) -> Path:
        """The hidden folder."""
        return self.folder / PREPARING

    @property
    def configuration(self) -> Path:
        """What is prepared, as JSON: the one file that stays."""
        return self.root / "configuration.json"

    @property
    def listing(self) -> Path:
        """How many pieces each task reads, and how many nobody does, as JSON."""
        return self.root / "listing.json"

    def pieces(self, rank: int) -> Path:
        """What a task is to read: a piece a line, as JSON."""
        return self.root / "pieces" / f"{rank:05d}.jsonl"

    def rows(self, rank: int) -> Path:
        """The rows that came of it, as Parquet, refused ones among them."""
        return self.root / "rows" / f"{rank:05d}.parquet"

    def facts(self, rank: int) -> Path:
        """What families and splits are made of, for each of these rows, as an Arrow stream."""
        return self.root / "facts" / f"{rank:05d}.arrow"

    @property
    def pairs(self) -> Path:
        """Pairs of rows that may be twins, an array."""
        return self.root / "pairs.npy"

    def twins(self, rank: int) -> Path:
        """Those of a task's share of the pairs that are, as JSON."""
        return self.root / "twins" / f"{rank:05d}.json"

    @property
    def splits(self) -> Path:
        """The number of each row's split, -1 where it is refused, an array."""
        return self.root / "splits.npy"

    @property
    def plan(self) -> Path:
        """With which row each file of the corpus begins, by split, as JSON."""
        return self.root / "plan.json"

    @property
    def made(self) -> Path:
        """Files of the corpus, before they go where they belong."""
        return self.root / "made"

    def logs(self, stage: str) -> Path:
        """What the engine writes of a stage, and by which it knows the tasks that are done."""
        return self.root / "logs" / stage

    @property
    def used_up(self) -> Iterator[Path]:
        """What nobody takes up any more in the end."""
        kept = {self.configuration, self.root / "logs"}
        yield from (path for path in self.root.iterdir() if path not in kept)


def is_finished(folder: Path) -> bool:
    """Whether a corpus is there, whole."""
    return (folder / CARD_NAME).is_file() and (folder / DATA).is_dir()


def write_json_whole(path: Path, value: Any) -> None:
    """Writes plain values; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(value))


def write_array(path: Path, array: np.ndarray) -> None:
    """Writes an array as [`read_array`] reads it."""
    with whole_file(path) as partial, partial.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def read_array(path: Path) -> np.ndarray:
    """Reads it where it lies: of a large array as much as is looked at."""
    return np.load(path, mmap_mode="r", allow_pickle=False)
