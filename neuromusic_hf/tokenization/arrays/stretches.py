"""The stretches of a quantised piece between two meters, in its ticks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Stretches:
    """
    What holds between a meter and the next one; arrays of `int64` and shape `(meters,)`.

    Args:
        start (`np.ndarray`): tick at which each begins, ascending, the first at 0.
        beat (`np.ndarray`): ticks of a beat, which is the denominator's.
        bar (`np.ndarray`): ticks of a bar.
        step (`np.ndarray`): ticks from one position to the next.
    """

    start: np.ndarray
    beat: np.ndarray
    bar: np.ndarray
    step: np.ndarray

    @classmethod
    def of(cls, meters: np.ndarray, ticks_per_quarter: int, positions: int) -> Stretches:
        """
        Those of meters in order of time.

        Args:
            meters (`np.ndarray` of shape `(3, meters)`): tick, numerator and denominator; the first at tick 0.
            ticks_per_quarter (`int`): of the piece.
            positions (`int`): of a beat.
        """
        start, numerator, denominator = meters
        beat = 4 * ticks_per_quarter // denominator
        return cls(start, beat, beat * numerator, beat // positions)

    @property
    def have_one_beat(self) -> bool:
        """Whether beats are as long in all of them, and so are steps."""
        return bool((self.beat == self.beat[0]).all())

    def at(self, ticks: np.ndarray) -> np.ndarray:
        """The index of the stretch of each tick."""
        if len(self.start) == 1:
            return np.zeros(len(ticks), np.int64)
        return self.start.searchsorted(ticks, side="right") - 1

    def by_beat(self, ticks: np.ndarray) -> Iterator[tuple[int, np.ndarray | slice]]:
        """Yields the lengths of beats, and the indices of those ticks at which they are so long."""
        if self.have_one_beat:
            yield int(self.beat[0]), slice(None)
            return
        beats = self.beat[self.at(ticks)]
        for beat in np.unique(beats).tolist():
            yield beat, np.flatnonzero(beats == beat)

    def to_steps(self, ticks: np.ndarray) -> np.ndarray:
        """Rounds ticks to steps, from where beats of that length begin, where their lengths differ."""
        if self.have_one_beat:
            return ticks
        begins = np.append(True, np.diff(self.step) != 0)
        origin = np.maximum.accumulate(np.where(begins, self.start, 0))
        index = self.at(ticks)
        step, origin = self.step[index], origin[index]
        return (np.round((ticks - origin) / step) * step + origin).astype(np.int64)
