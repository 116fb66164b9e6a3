"""Short runs of melody as numbers that neither key nor tempo change."""

from __future__ import annotations

import numpy as np

from .melodies import Melody, changes

SKETCHED_RUN = 8
"""Intervals of the runs that a piece is found by."""

WHOLE_SKETCH = 256
"""Runs of which all are kept; of more, the quarter with the smallest hashes, as in FracMinHash."""

WIDEST_STEP = 2
"""Semitones; more are a leap."""

PERIODS = (2, 3, 4, 6, 8, 10, 12, 16)
"""Notes of a figure that is played again and again, on the same chord or on another."""

_INTERVALS = np.uint64(256)
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_QUARTER = np.uint64(2**62)


def melodic_runs(melody: Melody, length: int) -> tuple[np.ndarray, np.ndarray]:
    """
    Hashes the runs of a melody: intervals in semitones, from each note to the next one of its line that is another.

    Pitches alone count: the same melody in another rhythm has the same runs.

    Args:
        melody ([`Melody`]): of a piece.
        length (`int`): intervals of a run, at most 8.

    Returns:
        `tuple[np.ndarray, np.ndarray]` of shape `(runs,)`: hashes (`uint64`), and the note each begins with. A run
        lies within one line; there are none in lines of fewer notes.
    """
    line = melody.line
    count = max(0, len(line) - length)
    intervals = (np.diff(melody.pitch.astype(np.int64)) + 128).astype(np.uint64)
    packed = np.zeros(count, np.uint64)
    for offset in range(length):
        packed = packed * _INTERVALS + intervals[offset : offset + count]
    start = np.flatnonzero(line[:count] == line[length:])
    return _mixed(packed[start]), start


def is_figure(melody: Melody, start: np.ndarray, length: int, by_direction: bool = False) -> np.ndarray:
    """
    Tells runs that all music is full of, whatever their intervals: scales, and figures of broken chords.

    Args:
        melody ([`Melody`]): of a piece.
        start (`np.ndarray` of shape `(runs,)`): the note each run begins with.
        length (`int`): intervals of a run.
        by_direction (`bool`, *optional*, defaults to `False`): figures are alike that go up and down alike, be it by
            step or by leap.

    Returns:
        `np.ndarray` of shape `(runs,)`, `bool`: whether it goes by step and turns once at most, or a leap is all it
        has; or goes up and down, by step and by leap, as the run some notes before or after it ([`PERIODS`]).
    """
    begin = max(0, int(start.min(initial=len(melody.pitch))) - PERIODS[-1])
    around = slice(begin, int(start.max(initial=0)) + length + PERIODS[-1] + 1)
    start, line = start - begin, melody.line[around]
    step = np.diff(melody.pitch[around].astype(np.int64))
    shape = np.sign(step) * (1 + (np.abs(step) > WIDEST_STEP))
    shapes = shape[start[:, None] + np.arange(length)]
    turns = (np.sign(shapes[:, 1:]) != np.sign(shapes[:, :-1])).sum(axis=1)
    figure = turns + (np.abs(shapes) == 2).sum(axis=1) <= 1
    alike = np.sign(shape) if by_direction else shape
    count = max(0, len(shape) - length + 1)
    returns = np.zeros(count, bool)
    for period in PERIODS:
        same = np.cumsum(np.append(0, alike[period:] == alike[:-period]))
        both = (same[length:] - same[:-length] == length) & (line[: max(0, count - period)] == line[period + length :])
        returns[: len(both)] |= both
        returns[period:] |= both
    return figure | returns[start]


def goes_by_step(melody: Melody, start: np.ndarray, length: int) -> np.ndarray:
    """Whether runs go by step alone; arguments and answer as of [`is_figure`]."""
    steps = np.abs(np.diff(melody.pitch.astype(np.int64))) <= WIDEST_STEP
    return np.logical_and.reduce(steps[start[:, None] + np.arange(length)], axis=1)


def sketch(melody: Melody) -> np.ndarray:
    """
    What a piece is found by: hashes of its distinct runs, all of a short piece and a quarter of those of a long one.

    The quarter is the same in all pieces, so that what two share is seen in their sketches (Irber et al. 2022,
    "Lightweight compositional analysis of metagenomes with FracMinHash", doi:10.1101/2022.01.11.475838).

    Args:
        melody ([`Melody`]): of a piece.

    Returns:
        `np.ndarray` of shape `(runs,)`, `uint64`: ascending.
    """
    hashes = distinct(melodic_runs(melody, SKETCHED_RUN)[0])
    return hashes[: max(WHOLE_SKETCH, int(np.searchsorted(hashes, _QUARTER)))]


def distinct(numbers: np.ndarray) -> np.ndarray:
    """As `np.unique`, which takes three times as long for some thousand of them."""
    ordered = np.sort(numbers)
    return ordered[changes(ordered)]


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Numbers in which every bit depends on all bits (splitmix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * _FACTORS[0]
    numbers = (numbers ^ (numbers >> np.uint64(27))) * _FACTORS[1]
    return numbers ^ (numbers >> np.uint64(31))
