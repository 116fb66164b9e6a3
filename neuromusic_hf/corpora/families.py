"""Twins among the rows of corpora: their melodies, as columns, and what is found of them, as a cache."""

from __future__ import annotations

import dataclasses
import json
import logging
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets import Dataset, Features, Value
from datasets.fingerprint import Hasher

from ..borders.datasets import fingerprint_of
from ..disk import user_path, write_whole
from ..music import RefusedFile
from ..music.loading import load_score
from ..music.midi_feature import Midi
from ..twins import NO_MELODY, Melody, Twin, find_twins, melody_of
from ..twins.detectors import NEWEST, Detector
from .cache import WRONG_CONTENT, cached_map
from .code_identity import code_of, code_of_rooms

logger = logging.getLogger(__name__)

MELODY = "melody_of_neuromusic"
MELODY_TYPES = {"pitch": "<u1", "onset": "<i4", "size": "<i4"}
MELODY_FEATURE = dict.fromkeys(MELODY_TYPES, Value("binary"))
"""Arrays of a [`Melody`] as bytes, which `datasets` writes as they are; it goes through lists item by item."""

COPY_FEATURES = {"content_hash": Value("string"), "num_notes": Value("int32")}
"""What tells which rows hold the same notes."""


def twins_of(
    parts: Sequence[Dataset],
    cache_dir: str | Path | None = None,
    num_proc: int | None = None,
    *,
    groups: Sequence[int] | None = None,
    detector: Detector = NEWEST,
) -> list[Twin]:
    """
    Finds the twins among the rows of corpora: those that share their melody, and those of the same notes.

    Those that share their melody are kept in the cache of `datasets`, until the rows or the code that looks at them
    change. Of rows of the same notes, each is a twin of the first of every part.

    Args:
        parts (sequence of [`~datasets.Dataset`]): with the column `midi`; those without bytes have none. Where they
            have [`COPY_FEATURES`], too, copies are found that have too little melody to share.
        cache_dir (`str` or `Path`, *optional*): the cache of `datasets` if not given.
        num_proc (`int`, *optional*): processes that read those of which the melodies are not known yet.
        groups (sequence of `int`, *optional*): of each part; twins are looked for between parts of different groups.
        detector ([`Detector`], *optional*): that finds them; the newest if not given.

    Returns:
        `list[Twin]`, whose indices count through all parts, one after the other.
    """
    return with_copies(parts, _sharing_melody(parts, cache_dir, num_proc, groups, detector), groups)


def with_copies(parts: Sequence[Dataset], found: list[Twin], groups: Sequence[int] | None = None) -> list[Twin]:
    """Twins that were found by their melody, and then those of the same notes; arguments as of [`twins_of`]."""
    return [*found, *_copies(parts, groups, found)]


def _sharing_melody(
    parts: Sequence[Dataset],
    cache_dir: str | Path | None,
    num_proc: int | None,
    groups: Sequence[int] | None,
    detector: Detector,
) -> list[Twin]:
    identity = [*map(fingerprint_of, parts), groups, detector, code_of_rooms("twins")]
    folder = user_path(cache_dir or datasets.config.HF_DATASETS_CACHE) / "twins"
    path = folder / f"{Hasher.hash(identity)}.json"
    if (known := _read(path, sum(map(len, parts)))) is not None:
        return known
    group_of = None if groups is None else np.repeat(groups, list(map(len, parts)))
    melodies = Melodies([melodies_of(part, num_proc, detector) for part in parts])
    found = find_twins(melodies, group_of, detector)
    _write(path, found)
    return found


def _copies(parts: Sequence[Dataset], groups: Sequence[int] | None, found: list[Twin]) -> Iterator[Twin]:
    """Those of the same notes that were not found by their melody."""
    known = {(twin.first, twin.second) for twin in found}
    ends = np.cumsum(list(map(len, parts)))
    rows = _repeated(pa.concat_tables(map(_copy_facts, parts)))
    numbers = np.searchsorted(ends, [index for index, _, _ in rows], side="right").tolist()
    firsts: dict[str, dict[int, int]] = {}
    for (index, content_hash, _), number in zip(rows, numbers, strict=True):
        firsts.setdefault(content_hash, {}).setdefault(number, index)
    for (index, content_hash, notes), number in zip(rows, numbers, strict=True):
        for part, other in firsts[content_hash].items():
            pair = min(index, other), max(index, other)
            if index != other and pair not in known and (groups is None or groups[part] != groups[number]):
                known.add(pair)
                yield Twin(*pair, notes, 1.0, 0)


def _repeated(facts: pa.Table) -> list[tuple[int, str, int]]:
    """Index, hash and notes of each row whose hash others have, too: few of many, and only these are held."""
    hashes = (value for chunk in facts["content_hash"].chunks for value in chunk.to_pylist())
    keys = np.fromiter(map(hash, hashes), np.int64, len(facts))
    order = np.argsort(keys, kind="stable")
    same = keys[order[1:]] == keys[order[:-1]]
    rows = np.sort(order[np.append(same, False) | np.append(False, same)])
    rows = rows[facts["content_hash"].is_valid().take(rows).to_numpy()]
    return list(zip(rows.tolist(), *(column.to_pylist() for column in facts.take(rows).columns), strict=True))


def _copy_facts(part: Dataset) -> pa.Table:
    """The hash and the number of notes of each row; nulls where they are not told."""
    if any(part.features.get(name) != feature for name, feature in COPY_FEATURES.items()):
        schema = Features(COPY_FEATURES).arrow_schema
        return pa.table([pa.nulls(len(part), field.type) for field in schema], schema)
    return part.select_columns(list(COPY_FEATURES)).with_format("arrow")[:]


def melody_row(melody: Melody) -> dict[str, bytes]:
    """A melody as the value of a column of [`MELODY_FEATURE`]."""
    return {name: getattr(melody, name).astype(kind).tobytes() for name, kind in MELODY_TYPES.items()}


def melodies_of(rows: Dataset, num_proc: int | None = None, detector: Detector = NEWEST) -> Dataset:
    """
    The melodies of rows, as a column: that of the builder, or one that is made of the files in them, and cached.

    A builder takes them for the newest detector. Rows without files hold melodies for the one that is asked.
    """
    has_them = rows.features.get(MELODY) == MELODY_FEATURE and not rows.data.column(MELODY).null_count
    if has_them and (detector == NEWEST or "midi" not in rows.features):
        return rows.select_columns([MELODY])
    stored = rows.select_columns(["midi"]).cast_column("midi", Midi(decode=False))
    return cached_map(
        stored,
        _add_melody,
        Hasher.hash([fingerprint_of(rows), MELODY, detector, code_of_rooms("music"), code_of(melody_of)]),
        fn_kwargs={"detector": detector},
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
        self._fields = [(rows.field(name), kind) for name, kind in MELODY_TYPES.items()]

    def __len__(self) -> int:
        return len(self._fields[0][0])

    def __getitem__(self, index: int) -> Melody:
        return Melody(*(np.frombuffer(rows[index].as_buffer(), kind) for rows, kind in self._fields))


def melody_of_row(row: dict[str, Any], detector: Detector = NEWEST) -> dict[str, bytes]:
    """The melody of a row with the column `midi`, not decoded; one without notes where it holds no MIDI file."""
    if row["midi"] is None or row["midi"]["bytes"] is None:
        return melody_row(NO_MELODY)
    try:
        return melody_row(melody_of(load_score(row["midi"]), detector))
    except RefusedFile:
        return melody_row(NO_MELODY)


def _add_melody(row: dict[str, Any], detector: Detector) -> dict[str, Any]:
    return {MELODY: melody_of_row(row, detector)}


def _read(path: Path, count: int) -> list[Twin] | None:
    """What is kept there of so many rows; `None` where nothing is, or nothing whole."""
    try:
        kept = json.loads(path.read_bytes())
        if not isinstance(kept, list):
            raise ValueError(f"a {type(kept).__name__}")
        return [_checked(Twin(*values), count) for values in kept]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except WRONG_CONTENT as error:
        logger.warning("The cache is damaged, and made anew: '%s' (%s).", path, error)
        return None


def _checked(twin: Twin, count: int) -> Twin:
    whole = all(type(number) is int for number in (twin.first, twin.second, twin.notes, twin.transposition))
    if not (whole and 0 <= twin.first < twin.second < count and 0 <= twin.share <= 1):
        raise ValueError(f"{twin} of {count} rows")
    return twin


def _write(path: Path, found: list[Twin]) -> None:
    """Keeps what was found, where the cache can be written."""
    try:
        if path.parent.exists() and not path.parent.is_dir():
            raise NotADirectoryError(f"'{path.parent}' is a file, and no folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps([dataclasses.astuple(twin) for twin in found]))
    except OSError as error:
        logger.warning("The twins that were found are not kept, and will be looked for again: %s.", error)
