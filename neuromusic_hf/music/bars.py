"""Where the bars of a score begin, in exact fractions of a tick."""

import numpy as np
from symusic.core import ScoreTick

from .note_arrays import gather_notes

MOST_BARS = 2**24
"""Bars of a 128th, of the longest music that is accepted, are a fourth of these."""


def onsets(score: ScoreTick) -> np.ndarray:
    """Ticks at which notes begin, ascending, each once: `int64` of shape `(onsets,)`."""
    return np.unique(gather_notes(score).onset)


def bar_starts(score: ScoreTick, end: int | None = None) -> np.ndarray:
    """
    Ticks at which bars begin, before `end`.

    A time signature begins a bar where it stands, also within another, which it cuts short; of several at one tick the
    last counts, and without one bars are in 4/4. Each bar line is where exact fractions say, to the nearest tick: a
    bar of 3/16 at 10 ticks a quarter, which is 7.5 ticks, begins at 0, 8, 15, 23, 30 and so on.

    Args:
        score ([`symusic.Score`]): in ticks.
        end (`int`, *optional*): tick; just after the last onset if not given.

    Returns:
        `np.ndarray` of `int64` and shape `(bars,)`, from 0 in order of time; two are equal where bars are shorter than
        a tick.

    Raises:
        `ValueError`: there would be more than 16,777,216.
    """
    if end is None:
        end = int(onsets(score).max(initial=-1)) + 1
    return bar_lines(meters_of(score), score.ticks_per_quarter, end)


def bar_lines(meters: np.ndarray, ticks_per_quarter: int, end: int) -> np.ndarray:
    """
    As [`bar_starts`], by the meters that count ([`meters_that_count`]).

    Args:
        meters (`np.ndarray` of shape `(3, meters)`): tick, numerator and denominator, in order of time from 0.
        ticks_per_quarter (`int`): of the ticks.
        end (`int`): tick.
    """
    time, numerator, denominator = meters
    known = time < end
    time, unit, parts = time[known], 4 * ticks_per_quarter * numerator[known], denominator[known]
    length = np.append(time[1:], end)[: len(time)] - time
    # Of the bars of a meter, each of unit / parts ticks, those that begin at half a tick before its end, or later, are
    # its successor's first.
    counts = -(-parts * (2 * length - 1) // (2 * unit))
    if counts.sum() > MOST_BARS:
        raise ValueError(f"{counts.sum():,} bars before tick {end}: a score may have {MOST_BARS:,}. Check its meters.")
    meter = np.repeat(np.arange(len(time)), counts)
    number = np.arange(len(meter)) - np.repeat(np.cumsum(counts) - counts, counts)
    return time[meter] + (2 * number * unit[meter] + parts[meter]) // (2 * parts[meter])


def meters_of(score: ScoreTick) -> np.ndarray:
    """The meters of a score that count, as [`meters_that_count`] says."""
    arrays = score.time_signatures.numpy()
    return meters_that_count(np.stack([arrays[name] for name in ("time", "numerator", "denominator")]))


def meters_that_count(given: np.ndarray) -> np.ndarray:
    """
    The meters that count: of several at one tick the last, of no beats none, and 4/4 until the first.

    Args:
        given (`np.ndarray` of shape `(3, meters)`): tick, numerator and denominator, in any order.

    Returns:
        `np.ndarray` of `int64` and shape `(3, meters)`: the same, in order of time from 0.
    """
    meters = given.astype(np.int64)
    meters = meters[:, (meters[1] > 0) & (meters[2] > 0)]
    meters[0] = np.maximum(meters[0], 0)
    meters = np.concatenate([[[0], [4], [4]], meters[:, np.argsort(meters[0], kind="stable")]], axis=1)
    return meters[:, np.append(np.diff(meters[0]) > 0, True)]
