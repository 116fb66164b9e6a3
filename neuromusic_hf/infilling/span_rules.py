"""The rules of the spans of a batch, over ids."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from .span_rule import SpanRule
from .time_paths import NOTE, TimePaths

ENDED = 0
"""The place after EOM, of which there is one for all rules."""

IDS_OF_A_NOTE = 4
"""What a note takes on a way to the end."""

NO_WAY = 2**20
"""More ids than any way to the end has."""

ROWS_KEPT = 1024
"""Places of which it is known what may come, at most. Time goes on, and few places come again."""


class SpanRules:
    """
    Rules, one below the other, over ids: a place is a state of one of them. What may come is found where it is asked.

    Args:
        rules (sequence of [`SpanRule`]): of the spans.
        paths ([`TimePaths`]): of the vocabulary.

    Attributes:
        begin (`np.ndarray` of shape `(rules,)`): the place where each begins.
    """

    def __init__(self, rules: Sequence[SpanRule], paths: TimePaths):
        symbols = len(paths.number)
        first = np.cumsum([1, *(len(rule.next) for rule in rules)], dtype=np.int32)
        ended = np.zeros((1, symbols), np.int32)
        self._paths = paths
        self._next = np.concatenate([ended, *(rule.next + row for rule, row in zip(rules, first, strict=False))])
        self._legal = np.concatenate([ended > 0, *(rule.legal for rule in rules)])
        self._ends, self._closes = (
            np.concatenate([[False], *(getattr(rule, name) for rule in rules)]) for name in ("ends", "closes")
        )
        self._found: dict[int, np.ndarray] = {}
        self.begin = first[:-1] + [rule.begin for rule in rules]

    def legal(self, places: np.ndarray) -> np.ndarray:
        """Which ids may come at places of shape `(batch,)`: `bool` of shape `(batch, vocabulary)`."""
        known = places.tolist()
        if new := [place for place in set(known) if place not in self._found]:
            if len(self._found) > ROWS_KEPT:
                self._found.clear()
                new = list(set(known))
            self._found.update(zip(new, self._walk(np.array(new))[0][:, self._paths.path], strict=True))
        return np.stack([self._found[place] for place in known])

    def ends(self, places: np.ndarray) -> np.ndarray:
        """At which places EOM may come: `bool` of shape `(batch,)`."""
        return self._ends[places]

    def closes(self, places: np.ndarray) -> np.ndarray:
        """At which places a shift may come alone, although the grammar has none there: `bool` of shape `(batch,)`."""
        return self._closes[places]

    def advance(self, places: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """The places to which ids of miditok's vocabulary lead, one a row; of shape `(batch,)`, as both are."""
        paths = self._paths.path[ids]
        for step in range(self._paths.length[paths].max(initial=0)):
            places = self._next[places, self._paths.symbols[paths, step]]
        return places

    def left(self, places: np.ndarray) -> np.ndarray:
        """About how many ids the shortest way from places takes to the end and EOM: of shape `(batch,)`."""
        return self._to_the_end[places]

    def left_after(self, places: np.ndarray) -> np.ndarray:
        """The same after each id that may come at places: of shape `(batch, vocabulary)`."""
        distinct, index = np.unique(places, return_inverse=True)
        return self._to_the_end[self._walk(distinct)[1]][:, self._paths.path][index]

    @cached_property
    def _to_the_end(self) -> np.ndarray:
        cost = np.ones(self._legal.shape[1], np.int64)
        cost[self._paths.number[NOTE]] = IDS_OF_A_NOTE
        before, symbol = np.nonzero(self._legal)
        after, cost = self._next[before, symbol], cost[symbol]
        ways = np.where(self._ends, 1, NO_WAY)
        ways[ENDED] = 0
        while True:
            shorter = ways.copy()
            np.minimum.at(shorter, before, ways[after] + cost)
            if np.array_equal(shorter, ways):
                return ways
            ways = shorter

    def _walk(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which paths may come at places, `bool` of shape `(places, paths)`, and where they lead."""
        at = np.repeat(places[:, None], len(self._paths.symbols), axis=1)
        legal = np.ones(at.shape, bool)
        for step, count in enumerate(self._paths.longer):
            symbols, before = self._paths.symbols[:count, step], at[:, :count]
            legal[:, :count] &= self._legal[before, symbols]
            at[:, :count] = self._next[before, symbols]
        return legal, at
