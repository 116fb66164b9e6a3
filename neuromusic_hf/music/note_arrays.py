"""The notes of a score as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from symusic.core import ScoreTick


class NoteArrays(NamedTuple):
    """
    All notes of a score, track by track, as arrays of the same length. Times are in ticks.

    Args:
        onset (`np.ndarray` of int64): when they begin.
        duration (`np.ndarray` of int64): how long they last.
        pitch (`np.ndarray` of int64): MIDI pitch.
        drum (`np.ndarray` of bool): whether they are drum hits.
    """

    onset: np.ndarray
    duration: np.ndarray
    pitch: np.ndarray
    drum: np.ndarray


def gather_notes(score: ScoreTick) -> NoteArrays:
    """The notes of a score in ticks."""
    tracks = [track for track in score.tracks if len(track.notes)]
    arrays = [track.notes.numpy() for track in tracks]
    none = np.zeros(0, np.int64)
    times = (np.concatenate([none, *(notes[name] for notes in arrays)]) for name in ("time", "duration", "pitch"))
    drums = np.repeat([track.is_drum for track in tracks], [len(notes["time"]) for notes in arrays])
    return NoteArrays(*times, drums.astype(bool))
