"""Ticks and seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from symusic.core import ScoreTick

DEFAULT_TEMPO = 120.0
"""Of MIDI, until a file says otherwise: in quarter notes a minute."""

DEFAULT_MICROSECONDS_PER_QUARTER = round(60e6 / DEFAULT_TEMPO)


@dataclass(frozen=True, eq=False)
class TempoMap:
    """
    The tempos of a piece, and what they make of its ticks.

    Args:
        ticks (`np.ndarray` of `int64` and shape `(tempos,)`): of the changes, ascending, the first one 0.
        microseconds (`np.ndarray` of `float64` and shape `(tempos,)`): of a quarter note, from each change on.
        ticks_per_quarter (`int`): of the piece.
    """

    ticks: np.ndarray
    microseconds: np.ndarray
    ticks_per_quarter: int

    @classmethod
    def of(cls, score: ScoreTick) -> TempoMap:
        """That of a score."""
        tempos = score.tempos.numpy()
        return cls.of_changes(tempos["time"], tempos["mspq"], score.ticks_per_quarter)

    @classmethod
    def of_changes(cls, ticks: np.ndarray, microseconds: np.ndarray, ticks_per_quarter: int) -> TempoMap:
        """
        Puts changes of tempo in order; of several at one tick the last counts.

        Args:
            ticks (`np.ndarray` of shape `(changes,)`): in any order.
            microseconds (`np.ndarray` of shape `(changes,)`): of a quarter note.
            ticks_per_quarter (`int`): of the piece.
        """
        order = np.argsort(ticks, kind="stable")
        ticks, microseconds = ticks[order].astype(np.int64), microseconds[order].astype(np.float64)
        if len(ticks) == 0 or ticks[0] > 0:
            ticks = np.concatenate([[0], ticks])
            microseconds = np.concatenate([[DEFAULT_MICROSECONDS_PER_QUARTER], microseconds])
        return cls(ticks, microseconds, ticks_per_quarter)

    def to_seconds(self, ticks: ArrayLike) -> np.ndarray:
        """Seconds from tick 0 to each tick: `float64` of the shape of `ticks`, which may be one tick."""
        ticks = np.asarray(ticks)
        segment = np.maximum(np.searchsorted(self.ticks, ticks, side="right") - 1, 0)
        microticks = self._passed[segment] + (ticks - self.ticks[segment]) * self.microseconds[segment]
        return microticks / (self.ticks_per_quarter * 1e6)

    def to_ticks(self, seconds: ArrayLike) -> np.ndarray:
        """The last whole tick before each second: `int64` of the shape of `seconds`, which may be one number."""
        seconds = np.asarray(seconds)
        passed = self._passed / (self.ticks_per_quarter * 1e6)
        segment = np.maximum(np.searchsorted(passed, seconds, side="right") - 1, 0)
        within = (seconds - passed[segment]) * self.ticks_per_quarter * 1e6 / self.microseconds[segment]
        return self.ticks[segment] + within.astype(np.int64)

    @property
    def _passed(self) -> np.ndarray:
        """Ticks times microseconds a quarter note until each change."""
        return np.concatenate([[0.0], np.cumsum(np.diff(self.ticks) * self.microseconds[:-1])])


def seconds_at(score: ScoreTick, ticks: ArrayLike) -> np.ndarray:
    """Seconds from tick 0 to `ticks`, at the tempos of `score`: `float64` of the shape of `ticks`."""
    return TempoMap.of(score).to_seconds(ticks)
