"""The rule of a middle in REMI: as many bars as the span has, with its meters."""

from __future__ import annotations

import numpy as np

from .middle_frame import MiddleFrame
from .span_rule import SpanRule
from .time_paths import NOTE, POSITION, TimePaths

WANTS_METER, BEGUN, AT_ZERO, INSIDE, COMPLETE = range(5)
"""Of a bar: what is said of it so far, and whether a note, or what a position is for, is complete."""


def bars_rule(span: MiddleFrame, paths: TimePaths, *, opening: bool) -> SpanRule:
    """
    Every bar of the span comes, with the meter that it has, and none after the last.

    There EOM may come wherever no note is unfinished. A tempo is that of the span, at its beginning.

    There is always a way to the end: a bar may hold nothing, but for the tempo that the opening of a piece has.

    Args:
        span ([`MiddleFrame`]): of REMI.
        paths ([`TimePaths`]): of the vocabulary.
        opening (`bool`): the middle opens a piece, as no prefix stands before it.
    """
    number = paths.number
    first = 1 + 5 * np.arange(len(span.bars))
    rule = SpanRule.empty(1 + 5 * len(span.bars), paths)
    meters = dict(span.meters)
    new_bar = WANTS_METER if meters else BEGUN
    rule.allow(0, number["Bar_None"], first[0] + new_bar)
    for place in (BEGUN, COMPLETE):
        rule.allow(first[:-1] + place, number["Bar_None"], first[1:] + new_bar)
    for bar, tick in zip(first.tolist(), span.bars, strict=True):
        if tick in meters:
            rule.allow(bar + WANTS_METER, int(paths.columns[meters[tick]]), bar + BEGUN)
    rule.allow(first + BEGUN, number["Position_0"], first + AT_ZERO)
    for place in (BEGUN, COMPLETE):
        rule.allow(first + place, paths.of(POSITION), first + INSIDE)
    for place in (AT_ZERO, INSIDE, COMPLETE):
        rule.allow(first + place, number[NOTE], first + INSIDE)
    rule.allow(first + INSIDE, number["Duration"], first + COMPLETE)
    if span.tempo is not None:
        rule.allow(first[0] + AT_ZERO, int(paths.columns[span.tempo]), first[0] + COMPLETE)
    rule.ends[first[-1] + np.array([BEGUN, COMPLETE])] = True
    if opening and span.tempo is not None:
        rule.ends[first[0] + BEGUN] = False
    return rule
