"""What a middle may say of time, token by token: a rule for one span, as an automaton."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .time_paths import TimePaths


@dataclass(frozen=True, eq=False)
class SpanRule:
    """
    An automaton over the symbols of [`TimePaths`].

    Args:
        next (`np.ndarray` of shape `(states, symbols)`): the state a symbol leads to; a state stays where it may not
            come.
        legal (`np.ndarray` of shape `(states, symbols)`): whether it may come.
        ends (`np.ndarray` of shape `(states,)`): whether the span is filled, so that EOM may come.
        closes (`np.ndarray` of shape `(states,)`):
            Whether a shift may come alone although the grammar has none there: silence up to the end, in Structured.
        begin (`int`): the state before the first symbol.
    """

    next: np.ndarray
    legal: np.ndarray
    ends: np.ndarray
    closes: np.ndarray
    begin: int

    @classmethod
    def empty(cls, states: int, paths: TimePaths) -> SpanRule:
        """Nothing may come but what stands for nothing; state 0 is the first."""
        symbols = len(paths.number)
        following = np.repeat(np.arange(states, dtype=np.int32)[:, None], symbols, axis=1)
        rule = cls(following, np.zeros((states, symbols), bool), np.zeros(states, bool), np.zeros(states, bool), 0)
        rule.legal[:, paths.of("", "Nothing_None")] = True
        return rule

    def allow(self, states: np.ndarray | int, symbols: list[int] | int, to: np.ndarray | int):
        """Lets symbols come in states, and lead to others: one for each state, or one for all."""
        states = np.atleast_1d(states)
        for symbol in np.atleast_1d(symbols).tolist():
            self.legal[states, symbol] = True
            self.next[states, symbol] = to

    def end_at(self, states: np.ndarray | int, paths: TimePaths):
        """In these states nothing may come but EOM."""
        self.ends[states] = True
        self.legal[np.atleast_1d(states)[:, None], paths.of("Nothing_None")] = False
