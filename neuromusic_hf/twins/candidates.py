"""Pairs of pieces that may be twins, by the hashes their sketches share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from .detectors import NEWEST, Detector
from .melodies import changes

CANDIDATE_RUNS = 3
"""That candidates share at least."""

STRANGERS = 1000
"""Pieces that are thought of as having none of the runs: what is rare in a small corpus need not be common."""

NEXT = 4
"""Pieces in which a run that many have is looked for, see [`Detector`]."""

PARTS = 32
BUFFER = 1_000_000
_LARGEST = np.iinfo(np.uint64).max
_HASH = np.dtype([("hash", np.uint64), ("piece", np.int32)])
_PAIR = np.dtype([("first", np.int32), ("second", np.int32), ("bits", np.float32)])


class Spilled:
    """
    Records on disk, in parts of which memory holds one at a time.

    Args:
        folder (`str` or `Path`): where they lie.
        dtype (`np.dtype`): of a record.
    """

    def __init__(self, folder: str | Path, dtype: np.dtype):
        self.dtype = dtype
        self.files = [Path(folder, f"{dtype.names and dtype.names[0]}-{part}") for part in range(PARTS)]

    def add(self, records: np.ndarray, part: np.ndarray):
        """Adds records to the parts they belong to."""
        order = np.argsort(part, kind="stable")
        bounds = np.searchsorted(part[order], np.arange(PARTS + 1))
        for file, begin, end in zip(self.files, bounds[:-1], bounds[1:], strict=True):
            if begin < end:
                with file.open("ab") as stream:
                    records[order[begin:end]].tofile(stream)

    def parts(self) -> Iterator[np.ndarray]:
        """The records of each part, where it has any."""
        yield from (np.fromfile(file, self.dtype) for file in self.files if file.exists())


def candidate_pairs(
    sketches: Iterable[np.ndarray], count: int, groups: np.ndarray | None = None, detector: Detector = NEWEST
) -> np.ndarray:
    """
    Finds the pairs of pieces that share runs, in time that grows little faster than the number of pieces.

    Sketches and pairs are sorted in [`PARTS`] parts, which lie in a temporary folder meanwhile: 12 bytes for each
    hash, and for each pair it makes, which are half as many as pieces that have it, or [`NEXT`] where these are more
    than a few. Memory holds a part.

    Args:
        sketches (iterable of `np.ndarray`): of each piece, its distinct hashes (`uint64`).
        count (`int`): pieces.
        groups (`np.ndarray` of shape `(count,)`, *optional*): pairs are of different groups alone.
        detector ([`Detector`], *optional*): says which pairs; the newest if not given.

    Returns:
        `np.ndarray` of shape `(pairs, 2)`: indices of pieces, the smaller one first, in ascending order.
    """
    with tempfile.TemporaryDirectory() as folder:
        hashes, pairs = Spilled(folder, _HASH), Spilled(folder, _PAIR)
        smallest, sizes = np.zeros(count, np.uint64), np.zeros(count, np.int64)
        for records in _buffered(sketches, smallest, sizes):
            hashes.add(records, (records["hash"] % np.uint64(PARTS)).astype(np.int64))
        place = np.argsort(np.argsort(smallest, kind="stable"), kind="stable")
        for part in hashes.parts():
            records = part[np.lexsort((place[part["piece"]], part["hash"]))]
            first, second, bits = map(np.concatenate, zip(*_pairs_of(records, count, groups, detector), strict=True))
            found = np.empty(len(first), _PAIR)
            found["first"], found["second"] = np.minimum(first, second), np.maximum(first, second)
            found["bits"] = bits
            pairs.add(found, found["first"].astype(np.int64) * PARTS // count)
        enough = [_with_enough(part, sizes, detector) for part in pairs.parts()]
    return np.concatenate([np.zeros((0, 2), np.int64), *enough])


def _buffered(sketches: Iterable[np.ndarray], smallest: np.ndarray, sizes: np.ndarray) -> Iterator[np.ndarray]:
    """Records of the hashes of many pieces; takes down of each the smallest hash, and how many it has."""
    held: list[np.ndarray] = []
    size = 0
    for piece, sketch in enumerate(sketches):
        records = np.empty(len(sketch), _HASH)
        records["hash"], records["piece"] = sketch, piece
        smallest[piece], sizes[piece] = sketch.min(initial=_LARGEST), len(sketch)
        held.append(records)
        size += len(records)
        if size >= BUFFER:
            yield np.concatenate(held)
            held, size = [], 0
    yield np.concatenate([np.empty(0, _HASH), *held])


def _pairs_of(
    records: np.ndarray, count: int, groups: np.ndarray | None, detector: Detector
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Two pieces that share a run, and the bits it is worth, of records in the order of their hashes."""
    hashes, pieces = records["hash"], records["piece"]
    begins = np.flatnonzero(changes(hashes))
    sizes = np.diff(np.append(begins, len(hashes)))
    size = np.repeat(sizes, sizes)
    end = np.repeat(begins + sizes, sizes)
    bits = np.log2((count + STRANGERS) / np.maximum(size, 1))
    group = np.zeros(0) if groups is None else groups[pieces]
    reaching = np.arange(len(hashes))
    for distance in range(1, detector.few):
        reaching = reaching[reaching + distance < end[reaching]]
        if distance == NEXT + 1:
            reaching = reaching[size[reaching] <= detector.few]
        first = reaching if groups is None else reaching[group[reaching] != group[reaching + distance]]
        yield pieces[first], pieces[first + distance], bits[first]
    if groups is not None:
        first, second = _across(group, changes(hashes), end)
        far = (size[first] > detector.few) & (second - first > NEXT)
        yield pieces[first[far]], pieces[second[far]], bits[first[far]]


def _across(group: np.ndarray, begins: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each record with the next one before and after it that has the same hash and is of another group."""
    index = np.arange(len(group))
    stretch = np.cumsum(begins | changes(group)) - 1
    starts = np.append(np.flatnonzero(np.diff(stretch, prepend=-1)), len(group))
    after, before = starts[stretch + 1], starts[stretch] - 1
    has_after = after < end
    has_before = ~np.append(begins, True)[starts[stretch]]
    pairs = np.concatenate(
        [index[has_after] * len(group) + after[has_after], before[has_before] * len(group) + index[has_before]]
    )
    return np.divmod(np.unique(pairs), max(1, len(group)))


def _with_enough(records: np.ndarray, sizes: np.ndarray, detector: Detector) -> np.ndarray:
    """Pairs with runs enough in common, of pieces with sketches of these sizes."""
    count = len(sizes)
    key = records["first"].astype(np.int64) * count + records["second"]
    order = np.argsort(key, kind="stable")
    key = key[order]
    begins = np.flatnonzero(changes(key))
    if not len(begins):
        return np.zeros((0, 2), np.int64)
    bits = np.add.reduceat(records["bits"][order].astype(np.float64), begins)
    runs = np.diff(np.append(begins, len(key)))
    pairs = np.stack(np.divmod(key[begins], count), axis=1)
    fewest = np.maximum(CANDIDATE_RUNS, detector.share_of_sketch * sizes[pairs].min(axis=1))
    return pairs[(runs >= fewest) & (bits >= detector.surprise * np.log2(count + STRANGERS))]
