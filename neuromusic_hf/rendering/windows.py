"""Parts of a piece, shown or heard one after another: what is around the places where it was changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from symusic.core import ScoreTick

from ..music import NoteArrays, TempoMap, bar_starts, gather_notes

PAUSE_SECONDS = 1.0
"""Between two of them."""


@dataclass(frozen=True, eq=False)
class Windows:
    """
    Parts of a piece that follow each other, with a pause between.

    Args:
        ticks (list of `tuple[int, int]`): where each begins and ends in the piece, in order; none touch.
        bars (`np.ndarray` of shape `(bars,)`): ticks at which the bars of the piece begin.
        clock ([`TempoMap`]): of the piece.
    """

    ticks: list[tuple[int, int]]
    bars: np.ndarray
    clock: TempoMap

    @classmethod
    def around(cls, score: ScoreTick, spans: Sequence[tuple[int, int]], bars: int = 2) -> Windows:
        """
        The surroundings of spans; those that touch are one.

        Args:
            score ([`symusic.Score`]): the piece, in ticks.
            spans (sequence of `tuple[int, int]`): ticks at which each begins and ends; at least one.
            bars (`int`, *optional*, defaults to 2): before and after each, as far as the piece goes.
        """
        end = max(int(gather_notes(score).end.max(initial=0)), max(end for _, end in spans))
        lines = bar_starts(score, end + 1)
        merged: list[tuple[int, int]] = []
        for first, last in sorted(spans):
            start = max(int(np.searchsorted(lines, first, side="right")) - 1 - bars, 0)
            stop = int(np.searchsorted(lines, last)) + bars
            window = (int(lines[start]), int(lines[stop]) if stop < len(lines) else end)
            if merged and window[0] <= merged[-1][1]:
                before, after = merged.pop()
                window = (before, max(window[1], after))
            merged.append(window)
        return cls(merged, lines, TempoMap.of(score))

    @property
    def seconds(self) -> np.ndarray:
        """How long each is: of shape `(windows,)`."""
        return np.diff(self.clock.to_seconds(np.array(self.ticks)), axis=1)[:, 0]

    @property
    def begins(self) -> np.ndarray:
        """When each begins, in seconds from the first: of shape `(windows,)`."""
        return np.append(0.0, np.cumsum(self.seconds + PAUSE_SECONDS)[:-1])

    @property
    def total_seconds(self) -> float:
        """From the beginning of the first to the end of the last."""
        return float(self.begins[-1] + self.seconds[-1])

    def place(self, ticks: ArrayLike, window: int) -> np.ndarray:
        """When ticks of the piece come in one of the windows, in seconds from the first: of the shape of `ticks`."""
        start = self.clock.to_seconds(self.ticks[window][0])
        return self.clock.to_seconds(ticks) - start + self.begins[window]

    def notes(self, score: ScoreTick) -> Iterator[NoteArrays]:
        """What of the notes of a score sounds in each window, in its ticks; drums where they are struck there."""
        notes = gather_notes(score)
        end = np.maximum(notes.end, notes.onset + 1)
        for start, stop in self.ticks:
            inside = (notes.onset < stop) & (np.where(notes.is_drum, notes.onset + 1, end) > start)
            columns = {name: values[inside] for name, values in vars(notes).items()}
            onset = np.maximum(columns["onset"], start)
            yield replace(notes, **columns | {"onset": onset, "duration": np.minimum(end[inside], stop) - onset})
