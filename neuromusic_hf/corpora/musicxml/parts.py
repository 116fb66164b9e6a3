"""The parts of a work, bar after bar."""

from __future__ import annotations

from dataclasses import replace
from xml.etree.ElementTree import Element

from .bars import BarReader, Standing
from .notation import ANY_STAFF, Bar, Sound
from .reading import TICKS_A_QUARTER, BeyondReader, check_known

SURPLUS_UNITS = (TICKS_A_QUARTER // 16, TICKS_A_QUARTER // 12)


def read_part(element: Element, fills_gaps: bool) -> list[list[Bar]]:
    """
    Reads a part.

    Args:
        element (`Element`): a `part`.
        fills_gaps (`bool`): see [`Standing`].

    Returns:
        The bars of each staff.

    Raises:
        [`BeyondReader`]: it holds something unknown.
    """
    check_known(element, {"measure"}, {"id"})
    if not len(element):
        raise BeyondReader("a <part> without bars")
    standing = Standing(fills_gaps)
    bars, now = [], 0
    for measure in element:
        is_last = measure is element[-1]
        bar = BarReader(standing).read(measure, is_last)
        if not bar.sounds and not bar.length:
            bar.sounds.append(Sound(0, standing.meter.bar))
            bar.length = standing.meter.bar
        bar.start = now
        now += bar.length
        _check_surplus(bar.length - standing.meter.bar)
        bars.append(bar)
    return [bars] if standing.staves == 1 else _staves(bars, standing.staves)


def _check_surplus(ticks: int):
    """A bar that is longer than the meter by an odd little is cut, which is left to music21."""
    if 0 < ticks <= TICKS_A_QUARTER // 2 and all(ticks % unit for unit in SURPLUS_UNITS):
        raise BeyondReader(f"a bar that is {ticks} ticks too long")


def _staves(bars: list[Bar], count: int) -> list[list[Bar]]:
    """A part for each staff, with what belongs to all."""
    staves = set(range(1, count + 1))
    if {sound.staff for bar in bars for sound in bar.sounds} != staves:
        raise BeyondReader(f"notes on other staves than 1 to {count}")
    if any(bar.opens or bar.closes for bar in bars):
        raise BeyondReader("a <repeat> in a part of several staves")
    return [
        [
            replace(
                bar,
                sounds=[sound for sound in bar.sounds if sound.staff == staff],
                signs=[sign for sign in bar.signs if sign.staff in (ANY_STAFF, staff)],
            )
            for bar in bars
        ]
        for staff in sorted(staves)
    ]
