"""Pairs of pieces that may be twins, by the hashes their sketches share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

CANDIDATE_SURPRISE = 3.5
"""Of the runs that candidates share: one has it that is in one piece alone, and the more common it is the less;"""

CANDIDATE_RUNS = 3
"""and there are so many of them."""

STRANGERS = 1000
"""Pieces that are thought of as having none of the runs: what is rare in a small corpus need not be common."""

COMMON = 8
"""A run that more than one of so many pieces has tells nothing."""

FEW = 8
"""Of so many pieces with the same run each pair counts; of more, each piece with the next ones, in random order."""

NEXT = 4
PARTS = 32
BUFFER = 1_000_000
_HASH = np.dtype([("hash", np.uint64), ("place", np.int32)])
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


def candidate_pairs(sketches: Iterable[np.ndarray], count: int, groups: np.ndarray | None = None) -> np.ndarray:
    """
    Finds the pairs of pieces that share rare runs, in time that grows little faster than the number of pieces.

    Sketches and pairs are sorted in [`PARTS`] parts, which lie in a temporary folder meanwhile: 12 bytes for each
    hash, and for each of the at most [`NEXT`] pairs it makes. Memory holds a part.

    Args:
        sketches (iterable of `np.ndarray`): of each piece, its distinct hashes (`uint64`).
        count (`int`): pieces.
        groups (`np.ndarray` of shape `(count,)`, *optional*): pairs are of different groups alone.

    Returns:
        `np.ndarray` of shape `(pairs, 2)`: indices of pieces, the smaller one first, in ascending order.
    """
    with tempfile.TemporaryDirectory() as folder:
        hashes, pairs = Spilled(folder, _HASH), Spilled(folder, _PAIR)
        # Places by chance: of a run that many have, neighbours are not the pieces of one group or source.
        piece_at = np.random.default_rng(0).permutation(count).astype(np.int32)
        place_of = np.argsort(piece_at).astype(np.int32)
        for records in _buffered(sketches, place_of):
            hashes.add(records, (records["hash"] % np.uint64(PARTS)).astype(np.int64))
        for part in hashes.parts():
            for first, second, bits in _pairs_of(part, count):
                ends = np.sort(np.stack([piece_at[first], piece_at[second]]), axis=0)
                records = np.empty(len(first), _PAIR)
                records["first"], records["second"], records["bits"] = *ends, bits
                records = records if groups is None else records[groups[ends[0]] != groups[ends[1]]]
                pairs.add(records, records["first"].astype(np.int64) * PARTS // count)
        found = [_surprising(part, count) for part in pairs.parts()]
    return np.concatenate([np.zeros((0, 2), np.int64), *found])


def _buffered(sketches: Iterable[np.ndarray], place_of: np.ndarray) -> Iterator[np.ndarray]:
    held: list[np.ndarray] = []
    size = 0
    for place, sketch in zip(place_of, sketches, strict=True):
        records = np.empty(len(sketch), _HASH)
        records["hash"], records["place"] = sketch, place
        held.append(records)
        size += len(records)
        if size >= BUFFER:
            yield np.concatenate(held)
            held, size = [], 0
    yield np.concatenate([np.empty(0, _HASH), *held])


def _pairs_of(records: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Places of two pieces that share a run, and the bits it is worth, by their distance among the pieces with it."""
    order = np.lexsort((records["place"], records["hash"]))
    hashes, places = records["hash"][order], records["place"][order]
    begins = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1])) if len(hashes) else np.zeros(0, np.int64)
    sizes = np.diff(np.append(begins, len(hashes)))
    size = np.repeat(sizes, sizes)
    rest = np.repeat(begins + sizes, sizes) - np.arange(len(hashes)) - 1
    everyone = count + STRANGERS
    bits = np.log2(everyone / np.maximum(size, 1))
    told = size * COMMON <= everyone
    for distance in range(1, FEW):
        first = np.flatnonzero(told & (rest >= distance) & ((size <= FEW) | (distance <= NEXT)))
        yield places[first], places[first + distance], bits[first]


def _surprising(records: np.ndarray, count: int) -> np.ndarray:
    """Pairs with runs enough in common."""
    key = records["first"].astype(np.int64) * count + records["second"]
    order = np.argsort(key, kind="stable")
    key = key[order]
    begins = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.zeros(0, np.int64)
    if not len(begins):
        return np.zeros((0, 2), np.int64)
    bits = np.add.reduceat(records["bits"][order].astype(np.float64), begins)
    enough = CANDIDATE_SURPRISE * np.log2(count + STRANGERS)
    runs = np.diff(np.append(begins, len(key)))
    key = key[begins[(bits >= enough) & (runs >= CANDIDATE_RUNS)]]
    return np.stack(np.divmod(key, count), axis=1)
