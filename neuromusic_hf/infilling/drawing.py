"""
Middles to learn from: 1 to 8 bars, at every place of a piece.

A piece is covered by windows, one after the other, each of as many bars as are estimated to fill the context, some of
fewer. Where the first one ends is drawn too, so that borders of windows may be anywhere. In each a middle is drawn, of
at most two thirds of its bars: half of them of all tracks, half of some programs, most often of one (or of the drums).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..music.bars import bar_lines, meters_that_count
from ..music.score_arrays import ScoreArrays
from .cuts import Cut

LONGEST_MIDDLE = 8
"""Bars of a middle, at most."""

BY_PROGRAM = 0.5
"""The share of middles of some programs, where the piece has several."""

ONE_PROGRAM = 2 / 3
"""The share of one program among those, where three or more play in the middle; of the others two or more are asked
for, each number as often."""

SILENT, ONE_SIDED = 0.1, 0.2
"""How often a middle without a note is drawn, for each with one; and one at a border of its window beyond which the
piece goes on, for each with bars on both sides."""

SHORT, SHORT_SHARES = 0.25, (0.1, 0.5)
"""The share of windows that are much shorter than the context, or the rest of the piece, and how long, of that."""

FEWEST_BARS = 4
"""Of a window, which may reach into its neighbour, so that there are bars on either side of a middle."""

FILLED = 0.98
"""What of the context is left for the music of a window, beside what is told twice."""

SILENT_BAR = 0.5
"""Ids of a bar without notes, in those of a note."""


@dataclass(frozen=True, eq=False)
class PieceInBars:
    """
    A quantised piece, bar by bar.

    Args:
        piece ([`ScoreArrays`]): with a note.
        lines (`np.ndarray` of `int64` and shape `(bars + 1,)`): ticks at which bars begin, and the last one ends.
        notes (`np.ndarray` of `int64` and shape `(bars,)`): that begin in each.
        ids (`np.ndarray` of `float64` and shape `(bars,)`): that stand for each, as estimated.
    """

    piece: ScoreArrays
    lines: np.ndarray
    notes: np.ndarray
    ids: np.ndarray

    @classmethod
    def of(cls, piece: ScoreArrays, num_ids: int) -> PieceInBars:
        """That of a quantised piece which has so many ids."""
        lines = lines_of_bars(piece)
        notes = np.bincount(lines.searchsorted(piece.onset, side="right") - 1, minlength=len(lines) - 1)
        weights = notes + SILENT_BAR
        return cls(piece, lines, notes, num_ids * weights / weights.sum())

    def __len__(self) -> int:
        """The number of bars, up to that of the last note."""
        return len(self.notes)


@dataclass(frozen=True)
class Window:
    """
    A cut of a piece in its bars, which are numbered from 0.

    Args:
        begin (`int`): the bar in which the prefix begins.
        start (`int`): the first of the middle.
        end (`int`): the first after it.
        finish (`int`): the first after the suffix.
        programs (`frozenset[int]`, *optional*): as of [`Cut`].
    """

    begin: int
    start: int
    end: int
    finish: int
    programs: frozenset[int] | None = None

    def cut(self, bars: PieceInBars) -> Cut:
        """The cut, in ticks."""
        begin, start, end, finish = bars.lines[[self.begin, self.start, self.end, self.finish]].tolist()
        return Cut(begin, start, end, None if self.finish == len(bars) else finish, self.programs)

    def narrowed(self, bars: PieceInBars, share: float) -> Window | None:
        """
        The window without a share of its ids: bars at its far ends are left out, and of the middle the last ones.

        Returns:
            [`Window`], with a bar less at least; `None` of a single bar.
        """
        if self.finish - self.begin == 1:
            return None
        window, left = self, share * bars.ids[self.begin : self.finish].sum()
        while left > 0 and window.finish - window.begin > 1:
            if window.start - window.begin > window.finish - window.end:
                left -= bars.ids[window.begin]
                window = replace(window, begin=window.begin + 1)
            else:
                finish = window.finish - 1
                left -= bars.ids[finish]
                window = replace(window, finish=finish, end=min(window.end, finish))
        return window


def lines_of_bars(piece: ScoreArrays) -> np.ndarray:
    """
    Ticks at which the bars of a quantised piece begin, up to that of its last note, and at which that one ends.

    Returns:
        `np.ndarray` of `int64` and shape `(bars + 1,)`, ascending.
    """
    meters, last = meters_that_count(piece.meters), int(piece.onset.max())
    _, numerator, denominator = meters[:, meters[0].searchsorted(last, side="right") - 1].tolist()
    bar = 4 * piece.ticks_per_quarter * numerator // denominator
    lines = np.unique(bar_lines(meters, piece.ticks_per_quarter, last + bar + 3))
    return lines[: lines.searchsorted(last, side="right") + 1]


def draw_windows(
    bars: PieceInBars, context_length: int, *, by_program: bool, random: np.random.Generator
) -> list[Window]:
    """
    Windows that cover a piece, each with a middle.

    Args:
        bars ([`PieceInBars`]): the piece.
        context_length (`int`): ids that a model reads.
        by_program (`bool`): whether the tokenizer tells programs apart, so that one of them can be asked for.
        random (`np.random.Generator`): draws.
    """
    return [
        _with_middle(bars, begin, finish, by_program, random)
        for begin, finish in _windows(bars.ids, FILLED * context_length, random)
    ]


def _windows(ids: np.ndarray, room: float, random: np.random.Generator) -> list[tuple[int, int]]:
    before = np.append(0, ids.cumsum())
    room_here = room * random.random() if before[-1] > room else room
    windows, begin = [], 0
    while begin < len(ids):
        if random.random() < SHORT:
            room_here = min(room_here, before[-1] - before[begin]) * random.uniform(*SHORT_SHARES)
        up_to = before[begin] + room_here + 0.5  # ids are whole, their estimates are not
        finish = max(begin + 1, int(before.searchsorted(up_to, side="right")) - 1)
        first = max(0, min(begin, len(ids) - FEWEST_BARS))
        windows.append((first, min(max(finish, first + FEWEST_BARS), len(ids))))
        begin, room_here = finish, room
    return windows


def _with_middle(bars: PieceInBars, begin: int, finish: int, by_program: bool, random: np.random.Generator) -> Window:
    count = finish - begin
    longest = max(1, min(LONGEST_MIDDLE, 2 * count // 3, count - 2))
    length = int(random.integers(1, longest, endpoint=True))
    starts, before = np.arange(begin, finish - length + 1), np.append(0, bars.notes.cumsum())
    weights = np.where(before[starts + length] > before[starts], 1, SILENT)
    weights[0] *= 1 if begin == 0 else ONE_SIDED
    weights[-1] *= 1 if finish == len(bars) else ONE_SIDED
    start = int(random.choice(starts, p=weights / weights.sum()))
    window = Window(begin, start, start + length, finish)
    if by_program and random.random() < BY_PROGRAM:
        return replace(window, programs=_some_programs(bars.piece, window.cut(bars), random))
    return window


def _some_programs(piece: ScoreArrays, cut: Cut, random: np.random.Generator) -> frozenset[int] | None:
    """One that plays in the middle, where another one plays in the piece; or several, beside another in the middle."""
    programs = piece.programs[piece.track]
    here = np.unique(programs[cut.removed(piece)])
    if not len(here) or (programs == programs[0]).all():
        return None
    is_one = len(here) < 3 or random.random() < ONE_PROGRAM
    count = 1 if is_one else int(random.integers(2, len(here)))
    return frozenset(random.choice(here, count, replace=False).tolist())
