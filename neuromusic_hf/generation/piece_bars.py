"""The bars of a file, and where a tokenizer writes them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from symusic.core import ScoreTick

from ..infilling import Cut
from ..music import RefusedFile, bar_starts, meters_of, nearest_steps, onsets, resampled
from ..music.bars import bar_lines, meters_that_count
from ..music.score_arrays import ScoreArrays
from ..tokenization import MidiProcessor

Bars = tuple[int, int]
"""The first bar of a span, and the one after its last; counted from 0."""


@dataclass(frozen=True, eq=False)
class PieceBars:
    """
    The bar lines of a piece.

    Args:
        lines (`np.ndarray` of shape `(bars + 1,)`): in ticks of its file, from 0 to the end of its last bar.
        meters (`np.ndarray` of shape `(3, meters)`): of the file, as [`meters_of`] gives them.
        written (`np.ndarray`): the lines at which it can be cut, in ticks of the quantised piece.
        scale (`Fraction`): ticks of the quantised piece for one of the file.
        tolerance (`Fraction`): how far from a line of the file that of the quantised piece may be, in its ticks.
        last_onset (`int`): of the quantised piece.
        tokenization (`str`): that has quantised it.
    """

    lines: np.ndarray
    meters: np.ndarray
    written: np.ndarray
    scale: Fraction
    tolerance: Fraction
    last_onset: int
    tokenization: str

    @classmethod
    def of(cls, score: ScoreTick, end: int, quantised: ScoreArrays, processor: MidiProcessor) -> PieceBars:
        """
        Those of a score that has a note, and of what a processor quantised of it.

        They go on to the bar in which the last note begins, or to that in which its file ends, at the tick `end`.
        """
        lines, meters = _lines_to_the_end(score, end), meters_of(score)
        old, new = score.ticks_per_quarter, quantised.ticks_per_quarter
        tolerance = Fraction(1)
        if _writes_bars(processor):
            # Lines lie up to half a position apart, and each up to half a tick from where it is exactly.
            positions = processor.music_tokenizer.config.max_num_pos_per_beat
            tolerance = (1 + Fraction(new, positions) + Fraction(new, old)) / 2
            end = int(nearest_steps(lines[-1:], old, new)[0]) + int(tolerance) + 2
            written = np.unique(bar_lines(meters_that_count(quantised.meters), new, end))
        else:
            written = np.unique(resampled(lines, old, new))
        last_onset = int(quantised.onset.max())
        return cls(lines, meters, written, Fraction(new, old), tolerance, last_onset, processor.tokenization)

    def __len__(self) -> int:
        """The number of bars."""
        return len(self.lines) - 1

    @property
    def most_context(self) -> int:
        """Bars before and after a span, more than which there are not."""
        return len(self.written)

    def ticks(self, bars: Bars) -> Bars:
        """
        Where a span begins and ends, in ticks of the file.

        Raises:
            [`RefusedFile`]: there are no such bars (`no_such_bars`), or they are shorter than a tick of the file or a
                step of the tokenizer (`bars_too_short`), or the tokenizer has other bar lines (`meter_not_kept`).
        """
        first, end = bars
        if end > len(self):
            raise RefusedFile(
                "no_such_bars",
                f"it has {len(self)} bars, so that bars {bars} (counted from 0) are none of it: end at {len(self)}. "
                "midi-continuation adds bars behind its end",
            )
        start, stop = (int(self.lines[line]) for line in bars)
        if start >= stop or self._place(first) >= self._place(end):
            raise RefusedFile(
                "bars_too_short",
                f"bars {bars} (counted from 0) are shorter than {self.tokenization} can tell: take more",
            )
        return start, stop

    def cut(self, bars: Bars, bars_before: int, bars_after: int, programs: frozenset[int] | None) -> Cut:
        """
        The cut of a span, with so many bars around it as far as there are.

        Args:
            bars (`tuple[int, int]`): of the span, of which [`PieceBars.ticks`] can tell where it is.
            bars_before (`int`): that are told.
            bars_after (`int`): that are told.
            programs (`frozenset[int]`, *optional*): that are cut out.
        """
        start, end = (int(self.written[self._place(line)]) for line in bars)
        before = [start, *self.written[self.written < start][::-1].tolist()]
        after = [end, *self.written[self.written > end].tolist()]
        finish = after[bars_after] if bars_after < len(after) else None
        return Cut(
            begin=before[bars_before] if bars_before < len(before) else 0,
            start=start,
            end=end,
            finish=None if finish is None or finish > self.last_onset else finish,
            programs=programs,
        )

    def _place(self, line: int) -> int:
        """Which written line is a line of the file. Raises [`RefusedFile`] where none is (`meter_not_kept`)."""
        if (place := self._nearest(line)) is None:
            kept = next(known for known in reversed(range(line)) if known == 0 or self._nearest(known) is not None)
            raise RefusedFile(
                "meter_not_kept",
                f"this {self.tokenization} does not keep the {self._meter_of(kept)} of bar {kept}, and has no bar "
                f"line where bar {line} begins (counted from 0): choose bars elsewhere, or a model whose tokenizer "
                "knows that meter",
            )
        return place

    def _nearest(self, line: int) -> int | None:
        exact = int(self.lines[line]) * self.scale
        place = int(np.abs(self.written - float(exact)).argmin())
        return place if abs(int(self.written[place]) - exact) <= self.tolerance else None

    def _meter_of(self, bar: int) -> str:
        time, numerator, denominator = self.meters
        here = np.searchsorted(time, self.lines[bar], side="right") - 1
        return f"{numerator[here]}/{denominator[here]}"


def _writes_bars(processor: MidiProcessor) -> bool:
    """Whether its tokens say where bars begin, by themselves or by meters; else music can be cut at any tick."""
    tokenizer = processor.music_tokenizer
    return tokenizer.config.use_time_signatures or any(word.startswith("Bar_") for word in tokenizer.vocab)


def _lines_to_the_end(score: ScoreTick, end: int) -> np.ndarray:
    """Ticks of the bar lines of a score that ends at a tick, with that after its last bar."""
    starts, meters = bar_starts(score, max(end, int(onsets(score).max()) + 1)), meters_of(score)
    _, numerator, denominator = meters[:, meters[0] <= starts[-1]][:, -1].tolist()
    beyond = int(starts[-1]) + -(-4 * score.ticks_per_quarter * numerator // denominator) + 2
    return bar_lines(meters, score.ticks_per_quarter, beyond)[: len(starts) + 1]
