"""How REMI, TSD and Structured say when something is: the tokens of time, put before the rows of what there is."""

from __future__ import annotations

import numpy as np

from .rows import Rows
from .stretches import Stretches
from .vocabulary import NOTHING, Vocabulary


def with_bars(
    rows: Rows, is_meter: np.ndarray, stretches: Stretches, meter_ids: np.ndarray, vocabulary: Vocabulary
) -> Rows:
    """
    Puts the Bars and Positions of REMI before rows in order of time.

    Args:
        rows ([`Rows`]): with a free first column.
        is_meter (`np.ndarray` of shape `(rows,)`): whether a row is a meter, which tells no position.
        stretches ([`Stretches`]): one for each meter.
        meter_ids (`np.ndarray` of shape `(stretches,)`): of the TimeSig after a Bar; `NOTHING` for none.
        vocabulary ([`Vocabulary`]): the ids.
    """
    index = _stretch_before(rows, is_meter, stretches)
    start, bar_ticks = stretches.start[index], stretches.bar[index]
    bars_before = np.append(0, np.cumsum(np.diff(stretches.start) // stretches.bar[:-1]))
    in_stretch = (rows.time - start) // bar_ticks
    bar = bars_before[index] + in_stretch
    new = np.diff(bar, prepend=-1)
    # In a bar that a change of meter cuts short, positions go on from its own bar line.
    latest = np.maximum.accumulate(np.where(new > 0, np.arange(len(new)), 0))
    line = (start + in_stretch * bar_ticks)[latest]
    told = ~is_meter
    told[1:] &= (rows.time[1:] != rows.time[:-1]) | is_meter[:-1]
    position = (rows.time - line) // stretches.step[index]
    rows = rows.with_first(np.where(told, vocabulary.position.take(position, mode="clip"), NOTHING))
    places = np.repeat(np.arange(len(new)), new)
    number = np.arange(len(places)) - np.repeat(np.cumsum(new) - new, new) - np.repeat(new, new) + 1
    last_of_meter = is_meter[places] & (number == 0)  # which says itself what the meter is
    ids = np.where(last_of_meter, NOTHING, meter_ids[index[places]])
    return rows.with_rows_before(places, line[places] + number * bar_ticks[places], vocabulary.bar, ids)


def with_shifts(rows: Rows, is_meter: np.ndarray, stretches: Stretches, vocabulary: Vocabulary) -> Rows:
    """
    Puts the TimeShifts of TSD before rows in order of time: the longest first, until less than the shortest is left.

    Args:
        rows ([`Rows`]): with a free first column, which stays so.
        is_meter (`np.ndarray` of shape `(rows,)`): whether a row is a meter.
        stretches ([`Stretches`]): one for each meter.
        vocabulary ([`Vocabulary`]): the ids.

    Raises:
        [`BeyondArrays`]: there are no lengths for the beats of a stretch.
    """
    left = np.diff(rows.time, prepend=0)
    silent = np.flatnonzero(left)
    beat = stretches.beat[_stretch_before(rows, is_meter, stretches)[silent]]
    shifts = [(silent[:0], silent[:0], silent[:0])]
    for ticks in np.unique(beat).tolist():
        lengths = vocabulary.lengths(ticks)
        here = silent[beat == ticks]
        while len(here):
            shift = lengths.floor[np.minimum(left[here], lengths.longest)]
            here, shift = here[shift > 0], shift[shift > 0]
            shifts.append((here, rows.time[here] - left[here], lengths.shift[shift]))
            left[here] -= shift
    places, time, ids = (np.concatenate(each) for each in zip(*shifts, strict=True))
    order = places.argsort(kind="stable")
    return rows.with_rows_before(places[order], time[order], ids[order])


def with_one_shift(rows: Rows, is_meter: np.ndarray, stretches: Stretches, vocabulary: Vocabulary) -> Rows:
    """Puts the one TimeShift of Structured before each row; arguments as of [`with_shifts`]."""
    shifts = vocabulary.single_shifts(int(stretches.beat[0]))
    return rows.with_first(shifts.take(np.diff(rows.time, prepend=0), mode="clip"))


def _stretch_before(rows: Rows, is_meter: np.ndarray, stretches: Stretches) -> np.ndarray:
    """In which stretch the time before each row is counted: that of a meter in the one which it ends."""
    index = stretches.at(rows.time)
    index[is_meter] = np.maximum(np.arange(is_meter.sum()) - 1, 0)
    return index
