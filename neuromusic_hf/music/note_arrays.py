"""The notes of a score as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scores import AnyScore, AnyTrack

NO_NOTE = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class NoteArrays:
    """
    Notes of a score, one track after the other: `int64` arrays of shape `(notes,)`.

    Args:
        onset (`np.ndarray`): when they begin, in ticks.
        duration (`np.ndarray`): in ticks, as the score has it: it may be negative where a program made it.
        pitch (`np.ndarray`): MIDI pitch, 0 to 127.
        velocity (`np.ndarray`): 0 to 127.
        program (`np.ndarray`): of their track, 0 to 127.
        is_drum (`np.ndarray` of `bool`): whether their track is one of drums.
        track (`np.ndarray`): index of their track in the score.
    """

    onset: np.ndarray
    duration: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray
    program: np.ndarray
    is_drum: np.ndarray
    track: np.ndarray

    def __len__(self) -> int:
        return len(self.onset)

    @property
    def end(self) -> np.ndarray:
        """When they end, in ticks."""
        return self.onset + self.duration


def gather_notes(score: AnyScore, drums: bool | None = None) -> NoteArrays:
    """
    Gathers the notes of all tracks.

    Args:
        score ([`symusic.Score`]):
            In ticks; of one in quarter notes or seconds, onsets and durations are in its own unit, and `float64`.
        drums (`bool`, *optional*):
            Take the tracks of drums alone (`True`), or the others alone (`False`).
    """
    every: list[AnyTrack] = list(score.tracks)
    tracks = [(index, track) for index, track in enumerate(every) if drums in (None, track.is_drum)]
    arrays = [track.notes.numpy() for _, track in tracks]
    sizes = [len(fields["time"]) for fields in arrays]

    def of_notes(name: str) -> np.ndarray:
        return np.concatenate([NO_NOTE, *(fields[name] for fields in arrays)])

    def of_tracks(values: list, dtype: type) -> np.ndarray:
        return np.repeat(np.array(values, dtype), sizes)

    return NoteArrays(
        of_notes("time"),
        of_notes("duration"),
        of_notes("pitch"),
        of_notes("velocity"),
        of_tracks([track.program for _, track in tracks], np.int64),
        of_tracks([track.is_drum for _, track in tracks], np.bool_),
        of_tracks([index for index, _ in tracks], np.int64),
    )
