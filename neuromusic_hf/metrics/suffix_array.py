"""A suffix array of many sequences of integers, in numpy: where any run of numbers occurs in them."""

import numpy as np


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
