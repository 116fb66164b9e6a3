"""
The meters that are written of a score, each beginning where a bar of the one before ends.

miditok knows the meters of its vocabulary, and lets them begin at bar lines: it would drop other meters, and delay a
change within a bar, after which no bar line is where it was.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from miditok import MusicTokenizer
from miditok.constants import TIME_SIGNATURE

MOST_BARS_FOR_ONE = 4
"""Of a known meter, that may stand for one bar of an unknown one."""


@dataclass(frozen=True, order=True)
class Meter:
    """A meter, as 6/8."""

    numerator: int
    denominator: int

    @property
    def length(self) -> Fraction:
        """Of a bar, in quarter notes."""
        return Fraction(4 * self.numerator, self.denominator)


def written_meters(
    tokenizer: MusicTokenizer, meters: np.ndarray, ticks_per_quarter: int
) -> list[tuple[Fraction, Meter]]:
    """
    What a tokenizer writes of the meters of a score.

    - A meter without a token becomes one with the same bar lines, and if need be more of them: 4/4 stands for 16/16,
      14/4 for 28/4. Where there is none, the meter before it goes on.
    - A bar that the next meter cuts short, as a pickup, gets a meter of its own: of 4/4, 3/4 where a change comes a
      beat early. Where that has no token, it becomes two bars; or the change waits for its end, as in miditok.
    - A change that is less than half a position off a bar line is at the bar line.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): it writes meters.
        meters (`np.ndarray` of shape `(3, meters)`): those that count ([`meters_that_count`]).
        ticks_per_quarter (`int`): of the score.

    Returns:
        `list[tuple[Fraction, Meter]]`: the onset of each in quarter notes, ascending from 0, and the meter.
    """
    known = _as_meters(tuple(tokenizer.time_signatures))
    tolerance = Fraction(1, 2 * tokenizer.config.max_num_pos_per_beat)
    start, meter = Fraction(0), known_meter(Meter(*TIME_SIGNATURE), known) or known[0]
    written = {start: meter}
    for tick, *given in meters.T.tolist():
        time, found = Fraction(tick, ticks_per_quarter), known_meter(Meter(*given), known)
        if found is None:
            continue
        bars, rest = divmod(max(time - start, 0), meter.length)
        line = start + bars * meter.length
        for bar in _rest_of_bar(rest, meter, known, tolerance):
            written[line] = bar
            line += bar.length
        written[line] = found
        start, meter = line, found
    return _changes(written)


@functools.lru_cache(maxsize=16)
def _as_meters(time_signatures: tuple[tuple[int, int], ...]) -> tuple[Meter, ...]:
    return tuple(Meter(*each) for each in time_signatures)


def known_meter(given: Meter, known: Iterable[Meter]) -> Meter | None:
    """
    The meter that stands for one.

    Args:
        given ([`Meter`]): it stands for itself if it is known.
        known (iterable of [`Meter`]): those of a vocabulary.

    Returns:
        [`Meter`] of which one bar, or several, are as long; `None` if there is none.
    """
    if given in known:
        return given
    bars = {meter: given.length / meter.length for meter in known}
    fitting = [meter for meter, count in bars.items() if count.denominator == 1 and count <= MOST_BARS_FOR_ONE]
    return min(fitting, key=lambda meter: (bars[meter], _distance(meter, given.denominator)), default=None)


def _rest_of_bar(rest: Fraction, meter: Meter, known: Iterable[Meter], tolerance: Fraction) -> list[Meter]:
    """Bars that fill up the last one of a meter, of which only `rest` is there; the whole bar if there are none."""
    if rest <= tolerance:
        return []
    if cut := _of_length(rest, meter.denominator, known, tolerance):
        return [cut]
    shorter = [each for each in known if each.denominator == meter.denominator and each.length < rest]
    for first in sorted(shorter, reverse=True):
        if second := _of_length(rest - first.length, meter.denominator, known, tolerance):
            return [first, second]
    return [meter]


def _of_length(length: Fraction, denominator: int, known: Iterable[Meter], tolerance: Fraction) -> Meter | None:
    """The known meter next to a length, with `denominator` if there is a choice; `None` if none is near enough."""
    near = [meter for meter in known if abs(meter.length - length) <= tolerance]
    return min(near, key=lambda meter: (abs(meter.length - length), _distance(meter, denominator)), default=None)


def _distance(meter: Meter, denominator: int) -> tuple[int, int]:
    """How far its beat is from another one: powers of 2 between, then the number of beats."""
    return abs(meter.denominator.bit_length() - denominator.bit_length()), meter.numerator


def _changes(written: dict[Fraction, Meter]) -> list[tuple[Fraction, Meter]]:
    """Without meters that go on."""
    found = []
    for time, meter in sorted(written.items()):
        if not found or found[-1][1] != meter:
            found.append((time, meter))
    return found
