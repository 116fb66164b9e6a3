"""Music as what lies between each note and the next: two runs of it that are equal are one a copy of the other."""

import numpy as np
from symusic.core import ScoreTick

from ..music import gather_notes

STEPS_PER_QUARTER = 16
"""A quarter note has, as in the project's tokenizers where a beat is a quarter: what is copied through tokens falls on
the steps of what it is copied from. Through coarser ones, only what lies on their steps does."""

LONGEST_STEPS = 511
"""Between two notes; about eight bars. Longer silences count as alike."""

PITCHES = 128

_INTERVALS = 256
"""Room for pitch intervals of -127 to 127."""

END = _INTERVALS * (LONGEST_STEPS + 1)
"""Larger than any interval."""


def note_intervals(score: ScoreTick) -> np.ndarray:
    """
    The music as what lies between each note and the next, which transposition does not change.

    Notes of all tracks but drums stand in the order of onset, then pitch; those of one onset and pitch are one note.
    The whole texture is compared, not the melody alone: scales and repeated notes are common to all music, whereas a
    run through all voices with its rhythm is a copy. Onsets are quantised as miditok quantises them: an excerpt
    of an unquantised file has to begin on a step, such as a bar, as those of the midi-continuation pipeline do.

    Args:
        score ([`symusic.Score`]): in ticks.

    Returns:
        `np.ndarray` of shape `(max(0, notes - 1),)`: one number for each pair of pitch interval and time interval.
    """
    notes = gather_notes(score.resample(STEPS_PER_QUARTER), drums=False)
    return intervals_between(np.unique(notes.onset * PITCHES + notes.pitch))


def intervals_between(keys: np.ndarray) -> np.ndarray:
    """
    The number of each pair of notes that follow each other, `int32` of shape `(max(0, notes - 1),)`.

    Args:
        keys (`np.ndarray` of shape `(notes,)`): step of each onset times [`PITCHES`], plus pitch; ascending.
    """
    times, pitches = np.divmod(keys, PITCHES)
    steps = np.minimum(np.diff(times), LONGEST_STEPS)
    return (steps * _INTERVALS + np.diff(pitches) + PITCHES - 1).astype(np.int32)


def interval_between(key: int, following: int) -> int:
    """As [`intervals_between`], of two notes."""
    (time, pitch), (next_time, next_pitch) = divmod(key, PITCHES), divmod(following, PITCHES)
    return min(next_time - time, LONGEST_STEPS) * _INTERVALS + next_pitch - pitch + PITCHES - 1


def pitch_intervals(intervals: np.ndarray) -> np.ndarray:
    """The semitones from each note to the next, up or down, of numbers of [`note_intervals`]."""
    return intervals % _INTERVALS - (PITCHES - 1)


def intervals_of(score: ScoreTick) -> np.ndarray | None:
    """As [`note_intervals`]; `None` for a score without notes, which is told from a single note."""
    has_notes = any(len(track.notes) for track in score.tracks if not track.is_drum)
    return note_intervals(score) if has_notes else None
