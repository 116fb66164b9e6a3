"""The rules of a middle in TSD and Structured: shifts lead to its end, and no further."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from itertools import pairwise

import numpy as np

from .middle_frame import MiddleFrame
from .span_rule import SpanRule
from .time_paths import NOTE, TimePaths

NO_SHIFT = "TimeShift_0.0.1"
"""By which Structured adds a note to an onset."""


def meters_rule(
    span: MiddleFrame,
    paths: TimePaths,
    shifts: dict[int, int],
    steps: dict[int | None, int],
    now: int,
    meter: int | None,
) -> SpanRule:
    """
    TSD: shifts lead to each meter that the span has, where it is said, and to the end, where EOM alone may come.

    A tempo is that of the span, at its beginning.

    The time before the middle, after all that the prefix says, is passed by its first shifts. There is always a way
    on: before the end a shift of one step, or at another onset a note; before the beginning, where no note may come,
    only such shifts as others may follow up to there (a gap is written with the longest shift that fits, so that after
    a shift less may follow than is left).

    Args:
        span ([`MiddleFrame`]): of TSD.
        paths ([`TimePaths`]): of the vocabulary.
        shifts (`dict[int, int]`): steps of each shift, by its symbol.
        steps (`dict[int | None, int]`): ticks of a step in each meter, by its base token; `None` is 4/4.
        now (`int`): the tick after the prefix, 0 where the middle begins.
        meter (`int`, *optional*): base token of the meter in force there; `None` where none was said.

    Raises:
        `ValueError`: no shifts lead from there to the beginning of the middle, or from there to its end.
    """
    before = [meter, *(column for _, column in span.meters)]
    meters = [each for each, last in zip(span.meters, before, strict=False) if each[1] != last]
    borders = [now, *(tick for tick, _ in meters), span.ticks]
    said = [column for _, column in meters]
    in_force = [said[0] if meter is None and said else meter, *said]
    ticks = [
        np.arange(start, end + 1, steps[column])
        for (start, end), column in zip(pairwise(borders), in_force, strict=True)
    ]
    if now > 0 or any(each[-1:] != end for each, end in zip(ticks, borders[1:], strict=True)):
        raise ValueError(
            f"No shifts lead to the ticks {borders[1:]} of a middle from tick {now}, where its prefix ends."
        )
    first = np.cumsum([0, *map(len, ticks)])
    rule = SpanRule.empty(int(first[-1]), paths)
    for start, end in pairwise(first.tolist()):
        for symbol, length in shifts.items():
            rule.allow(np.arange(start, end - length), symbol, np.arange(start + length, end))
    tick, is_border = np.concatenate(ticks), np.isin(np.arange(first[-1]), first[1:] - 1)
    sounds = np.flatnonzero((tick >= 0) & ~is_border)
    rule.allow(sounds, paths.number[NOTE], sounds)
    if span.tempo is not None:
        at_start = sounds[tick[sounds] == 0]
        rule.allow(at_start, int(paths.columns[span.tempo]), at_start)
    for border, (_, column) in zip(first[1:].tolist(), meters, strict=False):
        rule.allow(border - 1, int(paths.columns[column]), border)
    rule.end_at(first[-1] - 1, paths)
    lead = int((tick[: len(ticks[0])] < 0).sum())
    stuck = np.flatnonzero(np.arange(lead) + _room_after(lead, sorted(shifts.values())) < lead)
    for symbol in shifts:
        rule.legal[:lead, symbol] &= ~np.isin(rule.next[:lead, symbol], stuck)
    return rule


def single_shifts_rule(span: MiddleFrame, paths: TimePaths, shifts: dict[int, int]) -> SpanRule:
    """
    Structured: a shift before each note leads to before the end, and other shifts to the end itself.

    Those come after the last note, or at the beginning, the longest first, and after them EOM alone.

    There is always a way on: after a note a shift of one step; after a shift a note, as it is another onset, or the
    shifts that are left.

    Args:
        span ([`MiddleFrame`]): of Structured, in steps of one tick; it begins where the shifts of the prefix lead.
        paths ([`TimePaths`]): of the vocabulary.
        shifts (`dict[int, int]`): ticks of each shift but that of none, by its symbol.
    """
    count = span.ticks
    free, shifted, may_close, closing = (count * kind + np.arange(count) for kind in range(4))
    end = 4 * count
    symbols = dict(sorted((length, symbol) for symbol, length in shifts.items()))
    lengths = list(symbols)
    rule = SpanRule.empty(end + 1, paths)
    longest = np.array([lengths[bisect_right(lengths, left) - 1] for left in range(count, 0, -1)])
    for length, symbol in symbols.items():
        leads = np.arange(max(count - length, 0))
        to = np.where(longest[leads] == length, may_close[leads + length], shifted[leads + length])
        rule.allow(free[leads], symbol, to)
        here = np.flatnonzero(longest == length)
        to = np.append(closing, end)[here + length]
        for state in (may_close, closing):
            rule.allow(state[here], symbol, to)
        if length <= count:
            rule.allow(free[count - length], symbol, end)
    rule.allow(free, paths.number[NO_SHIFT], shifted)
    for state in (free, shifted, may_close):
        rule.allow(state, paths.number[NOTE], free)
    rule.end_at(end, paths)
    rule.closes[np.concatenate([may_close, closing])] = True
    return replace(rule, begin=int(free[0]))


def _room_after(steps: int, lengths: list[int]) -> np.ndarray:
    """
    How many steps may follow in the same silence after so many, each written with the longest shift that fits.

    Args:
        steps (`int`): numbers of steps, from 0 up.
        lengths (`list[int]`): of shifts, ascending from 1.
    """
    unlimited = 2**40
    after = {length: longer - length - 1 for length, longer in pairwise(lengths)}
    room, last = np.full(steps, unlimited), np.zeros(steps, np.int64)
    for count in range(1, steps):
        longest = lengths[bisect_right(lengths, count) - 1]
        last[count] = last[count - longest] or longest
        before = room[count - last[count]]
        rest = before - last[count] if before < unlimited else unlimited
        room[count] = min(rest, after.get(int(last[count]), unlimited))
    return room
