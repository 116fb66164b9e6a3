"""What a piece consists of: its pitch classes and note durations. Pure functions of a score."""

from dataclasses import replace
from typing import Literal

import numpy as np
from symusic.core import ScoreTick

from ..music import NoteArrays, RefusedFile, gather_notes, nearest_steps

DURATION_STEPS_PER_QUARTER = 24
"""A quarter note has: the coarsest grid that holds 32nd notes (3 steps), triplets of eighths (8), sixteenths (4)."""

MAX_QUARTERS = 16

DURATION_GRID = np.arange(1, MAX_QUARTERS * DURATION_STEPS_PER_QUARTER + 1) / DURATION_STEPS_PER_QUARTER
"""Quarter notes that the entries of [`duration_counts`] stand for; the last one is for all that is longer, too."""


def pitched_notes(score: ScoreTick) -> NoteArrays:
    """
    Gathers the notes that have a pitch: those of all tracks but drums. Their durations are 0 or more.

    Args:
        score ([`symusic.Score`]): in ticks.

    Raises:
        `RefusedFile`: there is none: `no_notes`, or `drums_only`.
    """
    notes = gather_notes(score, drums=False)
    if len(notes):
        return replace(notes, duration=np.maximum(notes.duration, 0))
    if found := score.note_num():
        raise RefusedFile("drums_only", f"all {found} notes are drums")
    raise RefusedFile("no_notes", "no note")


def pitch_class_counts(score: ScoreTick, weight: Literal["count", "duration"] = "count") -> np.ndarray:
    """
    How often, or how long, each pitch class is played. Drums have none.

    Args:
        score ([`symusic.Score`]): in ticks.
        weight (`str`, *optional*, defaults to `"count"`): `"count"` for notes, `"duration"` for quarter notes.

    Returns:
        `np.ndarray` of shape `(12,)`, from C to B, by pitch number: how a note is spelled does not matter.

    Raises:
        `RefusedFile`: the piece has no pitched note, or with `"duration"` none that lasts (`no_sound`).
        `ValueError`: `weight` is neither.
    """
    if weight not in ("count", "duration"):
        raise ValueError(f"weight='{weight}' is unknown: give 'count' or 'duration'.")
    notes = pitched_notes(score)
    if weight == "count":
        return np.bincount(notes.pitch % 12, minlength=12).astype(np.float64)
    if not notes.duration.any():
        raise RefusedFile("no_sound", f"all {len(notes.duration)} notes have length 0")
    return np.bincount(notes.pitch % 12, weights=notes.duration / score.tpq, minlength=12)


def pitch_class_distribution(score: ScoreTick, weight: Literal["count", "duration"] = "count") -> np.ndarray:
    """[`pitch_class_counts`] as shares: they sum to 1."""
    counts = pitch_class_counts(score, weight)
    return counts / counts.sum()


def duration_counts(score: ScoreTick) -> np.ndarray:
    """
    How often each note duration is played.

    A chord counts once: the notes of a track that have the same onset and duration on the grid. Drums do not count, as
    the length of a drum note means nothing.

    Durations are those in the file, in quarter notes whatever the tempo, on the nearest step of [`DURATION_GRID`].
    What is shorter than half a step counts as one.

    Args:
        score ([`symusic.Score`]): in ticks.

    Returns:
        `np.ndarray` of shape `(384,)`: number of notes and chords for each entry of [`DURATION_GRID`].

    Raises:
        `RefusedFile`: the piece has no pitched note.
    """
    notes = pitched_notes(score)
    steps = np.clip(nearest_steps(notes.duration, score.tpq, DURATION_STEPS_PER_QUARTER), 1, len(DURATION_GRID))
    onset = nearest_steps(notes.onset, score.tpq, DURATION_STEPS_PER_QUARTER)
    number = len(DURATION_GRID) + 1
    chords = np.unique((notes.track * (onset.max() + 1) + onset) * number + steps)
    return np.bincount(chords % number, minlength=number)[1:].astype(np.float64)


def duration_distribution(score: ScoreTick) -> np.ndarray:
    """[`duration_counts`] as shares: they sum to 1."""
    counts = duration_counts(score)
    return counts / counts.sum()
