"""Twins among the rows of corpora: their melodies, as columns, and what is found of them, as a cache."""

from __future__ import annotations

import dataclasses
import json
import logging
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets import Dataset, Features, List, Value
from datasets.fingerprint import Hasher

from ..borders.datasets import fingerprint_of
from ..disk import user_path, write_whole
from ..music.loading import load_score
from ..music.midi_feature import Midi
from ..twins import NO_MELODY, Melody, Twin, find_twins, melody_of
from .cache import cached_map
from .code_identity import code_of, code_of_rooms

logger = logging.getLogger(__name__)

MELODY = "melody"
MELODY_FEATURE = {"pitch": List(Value("uint8")), "onset": List(Value("int32")), "size": List(Value("int32"))}


def twins_of(
    parts: Sequence[Dataset],
    cache_dir: str | Path | None = None,
    num_proc: int | None = None,
    *,
    groups: Sequence[int] | None = None,
) -> list[Twin]:
    """
    Finds the twins among the rows of corpora.

    What is found is kept in the cache of `datasets`, until the rows or the code that looks at them change.

    Args:
        parts (sequence of [`~datasets.Dataset`]): with the column `midi`; those without bytes have none.
        cache_dir (`str` or `Path`, *optional*): the cache of `datasets` if not given.
        num_proc (`int`, *optional*): processes that read those of which the melodies are not known yet.
        groups (sequence of `int`, *optional*): of each part; twins are looked for between parts of different groups.

    Returns:
        `list[Twin]`, whose indices count through all parts, one after the other.
    """
    identity = [*map(fingerprint_of, parts), groups, code_of_rooms("twins")]
    folder = user_path(cache_dir or datasets.config.HF_DATASETS_CACHE) / "twins"
    path = folder / f"{Hasher.hash(identity)}.json"
    if (known := _read(path)) is not None:
        return known
    group_of = None if groups is None else np.repeat(groups, list(map(len, parts)))
    found = find_twins(Melodies([melodies_of(part, num_proc) for part in parts]), group_of)
    _write(path, found)
    return found


def melody_row(melody: Melody) -> dict[str, np.ndarray]:
    """A melody as the value of a column of [`MELODY_FEATURE`]."""
    return dataclasses.asdict(melody)


def melodies_of(rows: Dataset, num_proc: int | None = None) -> Dataset:
    """The melodies of rows, as a column: that of the builder, or one that is made of the files in them, and cached."""
    if MELODY in rows.column_names and not rows.data.column(MELODY).null_count:
        return rows.select_columns([MELODY])
    stored = rows.select_columns(["midi"]).cast_column("midi", Midi(decode=False))
    return cached_map(
        stored,
        _add_melody,
        Hasher.hash([fingerprint_of(rows), MELODY, code_of_rooms("music"), code_of(melody_of)]),
        num_proc=num_proc,
        remove_columns=["midi"],
        features=Features({MELODY: MELODY_FEATURE}),
        desc="Reading melodies",
    )


class Melodies(Sequence[Melody]):
    """
    The melodies of the rows of corpora, read where they lie.

    Args:
        parts (sequence of [`~datasets.Dataset`]): from [`melodies_of`]; indices count through all of them.
    """

    def __init__(self, parts: Sequence[Dataset]):
        columns = [part.with_format("arrow")[:].column(MELODY) for part in parts if len(part)]
        self._chunks = [_Chunk(chunk) for column in columns for chunk in column.chunks]
        self._ends = np.cumsum([len(chunk) for chunk in self._chunks]).tolist()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: Any) -> Any:
        number = bisect_right(self._ends, index)
        chunk = self._chunks[number]
        return chunk[index - self._ends[number] + len(chunk)]


class _Chunk:
    """Rows of a column of melodies."""

    def __init__(self, rows: pa.StructArray):
        lists = [rows.field(name) for name in MELODY_FEATURE]
        self._fields = [(each.offsets.to_numpy(), each.values.to_numpy()) for each in lists]

    def __len__(self) -> int:
        return len(self._fields[0][0]) - 1

    def __getitem__(self, index: int) -> Melody:
        return Melody(*(values[offsets[index] : offsets[index + 1]] for offsets, values in self._fields))


def melody_of_row(row: dict[str, Any]) -> dict[str, np.ndarray]:
    """The melody of a row with the column `midi`, not decoded; one without notes where it holds no bytes."""
    refused = row["midi"] is None or row["midi"]["bytes"] is None
    return melody_row(NO_MELODY if refused else melody_of(load_score(row["midi"])))


def _add_melody(row: dict[str, Any]) -> dict[str, Any]:
    return {MELODY: melody_of_row(row)}


def _read(path: Path) -> list[Twin] | None:
    """What is kept there; `None` where nothing is, or nothing whole."""
    try:
        return [Twin(*values) for values in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        logger.warning("The cache is damaged, and made anew: '%s' (%s).", path, error)
        return None


def _write(path: Path, found: list[Twin]) -> None:
    """Keeps what was found, where the cache can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps([dataclasses.astuple(twin) for twin in found]))
    except OSError as error:
        logger.warning("The twins that were found are not kept, and will be looked for again: %s.", error)
