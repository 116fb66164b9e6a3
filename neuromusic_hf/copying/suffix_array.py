"""A suffix array of many sequences of integers, in numpy: where any run of numbers occurs in them."""

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property

import numpy as np

BYTES = 4
"""Of a number where runs are compared as bytes."""

_SIGN = 2**31
"""Added to numbers, so that their bytes are in the order of what they say."""


class SuffixArray:
    """
    Finds, for every place in a query, the longest run from there on that occurs within one of the sequences.

    Built by doubling the length of what is sorted, where only the suffixes that are still alike go on (Larsson and
    Sadakane 2007, doi:10.1016/j.tcs.2007.07.017), so that corpora that repeat themselves little are nearly done after
    a few rounds.

    Args:
        sequences (`list[np.ndarray]`): `int32` arrays of shape `(length,)`, numbers of 0 or more.
    """

    def __init__(self, sequences: list[np.ndarray]):
        # Every sequence ends with a number of its own, which no query holds: no run crosses it.
        ends = [np.array([-1 - number], dtype=np.int32) for number in range(len(sequences))]
        parts = [part for pair in zip(sequences, ends, strict=True) for part in pair]
        self.text = np.concatenate(parts).astype(np.int32)
        self.order = _sort_suffixes(self.text)

    def match_lengths(self, query: np.ndarray) -> np.ndarray:
        """
        Length of the longest run from each place of the query that occurs in a sequence.

        Args:
            query (`np.ndarray` of shape `(length,)`): numbers of 0 or more.

        Returns:
            `np.ndarray` of shape `(length,)`.
        """
        lengths = np.zeros(len(query), dtype=np.int64)
        places = np.arange(len(query))
        low, high = np.zeros_like(places), np.full_like(places, len(self.order))
        depth = 0
        while len(places):
            wanted = query[places + depth]
            low, high = (self._bisect(wanted, depth, low, high, side) for side in ("left", "right"))
            found = low < high
            places, low, high = places[found], low[found], high[found]
            depth += 1
            lengths[places] = depth
            inside = places + depth < len(query)
            places, low, high = places[inside], low[inside], high[inside]
        return lengths

    def find(self, run: Sequence[int]) -> tuple[int, int]:
        """
        Where in the order of suffixes those stand that begin with a run: from, and up to; equal if there are none.

        One run, looked for as a whole: its numbers are compared together, as bytes.

        Args:
            run (sequence of `int`): numbers of 0 or more.
        """
        text, order = self._bytes
        size = BYTES * len(run)
        wanted = struct.pack(f">{len(run)}I", *(number + _SIGN for number in run))

        def beginning(start: int) -> bytes:
            return text[BYTES * start : BYTES * start + size]

        low = bisect_left(order, wanted, key=beginning)
        if low == len(order) or beginning(order[low]) != wanted:
            return low, low
        return low, bisect_right(order, wanted, low, key=beginning)

    def followers(self, low: int, high: int, depth: int) -> np.ndarray:
        """The numbers, each once, at a depth of the suffixes `low` to `high`; the ends of sequences are left out."""
        numbers = np.unique(self.text[self.order[low:high] + depth])
        return numbers[numbers >= 0]

    @cached_property
    def _bytes(self) -> tuple[bytes, memoryview]:
        """The text as bytes, most significant first, and the order, as Python reads them fastest."""
        return (self.text.astype(np.int64) + _SIGN).astype(">u4").tobytes(), self.order.data

    def _bisect(self, wanted: np.ndarray, depth: int, low: np.ndarray, high: np.ndarray, side: str) -> np.ndarray:
        """Where `wanted` would stand among suffixes `low` to `high`, which agree before `depth`, by what is there."""
        low, high = low.copy(), high.copy()
        last = len(self.text) - 1
        while (unsettled := low < high).any():
            middle = (low + high) // 2
            # A closed interval may point beyond the last suffix, or beyond its end; it does not move.
            number = self.text[np.minimum(self.order[np.minimum(middle, last)] + depth, last)]
            after = number < wanted if side == "left" else number <= wanted
            low = np.where(unsettled & after, middle + 1, low)
            high = np.where(unsettled & ~after, middle, high)
        return low


def _sort_suffixes(text: np.ndarray) -> np.ndarray:
    """Starts of the suffixes of `text` in lexicographic order, as `int32`; its last number occurs nowhere else."""
    size = len(text)
    active = np.argsort(text, kind="stable").astype(np.int32)
    first = np.diff(text[active], prepend=text[active[0]] - 1) != 0
    # The rank of a suffix is the first slot of those that it cannot be told from yet, so that it is final once alone.
    rank = np.empty(size, dtype=np.int32)
    rank[active] = np.flatnonzero(first)[np.cumsum(first) - 1]
    active = active[_shared(first)]
    length = 1
    while len(active):
        key = rank[active] * np.int64(size) + rank[active + length]
        order = np.argsort(key)
        active, key = active[order], key[order]
        first = np.diff(key, prepend=-1) != 0
        old = rank[active]
        index = np.arange(len(active), dtype=np.int32)
        start_of_old = np.maximum.accumulate(np.where(np.diff(old, prepend=-1) != 0, index, 0))
        start_of_new = np.maximum.accumulate(np.where(first, index, 0))
        rank[active] = old + start_of_new - start_of_old
        active = active[_shared(first)]
        length *= 2
    suffixes = np.empty(size, dtype=np.int32)
    suffixes[rank] = np.arange(size, dtype=np.int32)
    return suffixes


def _shared(first: np.ndarray) -> np.ndarray:
    """Of groups of which the first members are marked, the members that are not alone."""
    return ~(first & np.append(first[1:], True))
