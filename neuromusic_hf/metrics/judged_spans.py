"""Bars of a piece whose notes were cut out, and what surrounds them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from symusic.core import ScoreTick

from ..infilling.cuts import Cut
from ..music import bar_starts
from ..music.score_arrays import ScoreArrays

SURROUNDING_BARS = 8
"""On each side, that an infill is compared with."""


@dataclass(frozen=True, eq=False)
class JudgedSpan:
    """
    Bars of a piece whose notes were cut out: all of them, or those of some programs.

    Args:
        name (`str`): of the piece, to report it by.
        piece ([`symusic.Score`]): as it was, in ticks.
        start (`int`): tick of the bar line where the span begins.
        end (`int`): tick of the later bar line where it ends.
        programs (`frozenset[int]`, *optional*): MIDI programs that were cut out, -1 for drums; all if `None`.

    Raises:
        `ValueError`: start or end is no bar line, they are not in order, or there are no programs.
    """

    name: str
    piece: ScoreTick
    start: int
    end: int
    programs: frozenset[int] | None = None

    def __post_init__(self):
        self._cut  # noqa: B018  (checks their order)
        if off := {self.start, self.end} - set(self._lines.tolist()):
            raise ValueError(
                f"A span of {self.name} begins or ends at tick {min(off)}, which is no bar line: give two of "
                "bar_starts(piece)."
            )

    @cached_property
    def bars(self) -> np.ndarray:
        """Ticks of its bar lines, from start to end, both included: `int64` of shape `(bars + 1,)`."""
        return self._lines[(self._lines >= self.start) & (self._lines <= self.end)]

    @property
    def num_bars(self) -> int:
        """How many bars it has."""
        return len(self.bars) - 1

    @cached_property
    def removed(self) -> ScoreTick:
        """The notes that were cut out, moved so that the span begins at tick 0."""
        return self.notes_of(self.piece)

    def notes_of(self, score: ScoreTick) -> ScoreTick:
        """
        The notes that begin in the span and are of its programs, moved so that it begins at tick 0.

        Args:
            score ([`symusic.Score`]): the piece with other notes in the span, in the ticks of the piece.

        Raises:
            `ValueError`: it has other ticks.
        """
        if score.ticks_per_quarter != self.piece.ticks_per_quarter:
            raise ValueError(
                f"{self.name} has {self.piece.ticks_per_quarter} ticks per quarter, and its other version "
                f"{score.ticks_per_quarter}: give both in the same ticks."
            )
        arrays = ScoreArrays.of(score)
        return arrays.taken(np.flatnonzero(self._cut.removed(arrays))).between(self.start, self.end).to_score()

    def before(self, bars: int) -> np.ndarray:
        """Ticks of the bar lines of so many bars before it, as many as there are, and of its start; ascending."""
        first = int(np.searchsorted(self._lines, self.start))
        return self._lines[max(first - bars, 0) : first + 1]

    def surroundings(self, bars: int = SURROUNDING_BARS) -> ScoreTick:
        """
        What its programs play in the bars on both sides, joined: the bars after it follow those before it at once.

        Args:
            bars (`int`, *optional*, defaults to 8): on each side, as many as there are.
        """
        last = int(np.searchsorted(self._lines, self.end))
        begin = int(self.before(bars)[0])
        finish = int(self._lines[last + bars]) if last + bars < len(self._lines) else None
        arrays = ScoreArrays.of(self.piece)
        own = arrays if self.programs is None else arrays.taken(np.flatnonzero(self._is_own(arrays)))
        return _joined(own.between(begin, self.start), own.between(self.end, finish), self.start - begin).to_score()

    def _is_own(self, arrays: ScoreArrays) -> np.ndarray:
        return np.isin(arrays.programs, list(self.programs or ()))[arrays.track]

    @cached_property
    def _cut(self) -> Cut:
        return Cut(0, self.start, self.end, programs=self.programs)

    @cached_property
    def _lines(self) -> np.ndarray:
        """Bar lines of the piece up to its last onset, or to the end of the span if that is later."""
        last = max(self.end, int(ScoreArrays.of(self.piece).onset.max(initial=0)))
        return bar_starts(self.piece, last + 1)


def _joined(first: ScoreArrays, second: ScoreArrays, length: int) -> ScoreArrays:
    """One part and then the other, the first so many ticks long."""

    def both(name: str) -> np.ndarray:
        return np.concatenate([getattr(first, name), getattr(second, name)])

    def events(name: str) -> np.ndarray:
        later = getattr(second, name).copy()
        later[0] += length
        return np.concatenate([getattr(first, name), later], axis=1)

    return replace(
        first,
        programs=both("programs"),
        track=np.concatenate([first.track, second.track + len(first.programs)]),
        onset=np.concatenate([first.onset, second.onset + length]),
        duration=both("duration"),
        pitch=both("pitch"),
        velocity=both("velocity"),
        meters=events("meters"),
        tempos=events("tempos"),
    )
