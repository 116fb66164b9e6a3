"""What is written of a score, as arrays: notes, meters and tempos."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from symusic.core import NoteTickList, ScoreTick, TempoTickList, TimeSignatureTickList, TrackTick

from .grid import resampled
from .note_arrays import NO_NOTE

DRUMS = -1
"""Program of tracks of drums."""

FAR = 2**62
"""Beyond every tick."""


@dataclass(frozen=True, eq=False)
class ScoreArrays:
    """
    A score in ticks, as arrays of `int64`.

    Args:
        ticks_per_quarter (`int`): of all times.
        programs (`np.ndarray` of shape `(tracks,)`): MIDI program of each track, -1 of drums.
        track (`np.ndarray` of shape `(notes,)`): index of the track of each note; one track after the other.
        onset (`np.ndarray` of shape `(notes,)`): in ticks, in the order of the score.
        duration (`np.ndarray` of shape `(notes,)`): in ticks.
        pitch (`np.ndarray` of shape `(notes,)`): MIDI pitch.
        velocity (`np.ndarray` of shape `(notes,)`): MIDI velocity.
        meters (`np.ndarray` of shape `(3, meters)`): tick, numerator and denominator.
        tempos (`np.ndarray` of shape `(2, tempos)`): tick, and microseconds a quarter note.
    """

    ticks_per_quarter: int
    programs: np.ndarray
    track: np.ndarray
    onset: np.ndarray
    duration: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray
    meters: np.ndarray
    tempos: np.ndarray

    @classmethod
    def of(cls, score: ScoreTick) -> ScoreArrays:
        """Those of a score."""
        tracks: list[TrackTick] = list(score.tracks)
        arrays = [track.notes.numpy() for track in tracks]

        def of_notes(name: str) -> np.ndarray:
            return np.concatenate([NO_NOTE, *(fields[name] for fields in arrays)])

        return cls(
            score.ticks_per_quarter,
            np.array([DRUMS if track.is_drum else track.program for track in tracks], np.int64),
            np.repeat(np.arange(len(tracks)), [len(fields["time"]) for fields in arrays]),
            of_notes("time"),
            of_notes("duration"),
            of_notes("pitch"),
            of_notes("velocity"),
            _stacked(score.time_signatures, "time", "numerator", "denominator"),
            _stacked(score.tempos, "time", "mspq"),
        )

    def __len__(self) -> int:
        """The number of notes."""
        return len(self.onset)

    @property
    def is_in_order(self) -> bool:
        """Whether notes of each track and tempos are in order of time, from 0 on."""
        earlier = (np.diff(self.onset) < 0) & (np.diff(self.track) == 0)
        return not earlier.any() and self.onset.min(initial=0) >= 0 and not (np.diff(self.tempos[0]) < 0).any()

    def taken(self, notes: np.ndarray) -> ScoreArrays:
        """With some of the notes, or all in another order: by their indices."""
        names = ("track", "onset", "duration", "pitch", "velocity")
        return replace(self, **{name: getattr(self, name)[notes] for name in names})

    def without_silent_tracks(self) -> ScoreArrays:
        """Without tracks that have no note."""
        plays = np.bincount(self.track, minlength=len(self.programs)) > 0
        if plays.all():
            return self
        return replace(self, programs=self.programs[plays], track=(np.cumsum(plays) - 1)[self.track])

    def between(self, start: int, end: int | None = None) -> ScoreArrays:
        """
        The notes that begin from tick `start` up to `end` (exclusive; the end of the piece if not given), whole.

        They are moved so that `start` is tick 0, with the meter and tempo in force there and those after it, and
        without tracks that have no note.
        """
        begins_here = (self.onset >= start) & (self.onset < (FAR if end is None else end))
        part = self.taken(np.flatnonzero(begins_here)).without_silent_tracks()
        return replace(
            part,
            onset=part.onset - start,
            meters=_in_force(self.meters, start, end),
            tempos=_in_force(self.tempos, start, end),
        )

    def tempos_in(self, ticks_per_quarter: int) -> np.ndarray:
        """The tempos, in other ticks."""
        time = self.tempos[:1]
        if ticks_per_quarter != self.ticks_per_quarter:
            time = resampled(time, self.ticks_per_quarter, ticks_per_quarter)
        return np.concatenate([time, self.tempos[1:]])

    def to_score(self) -> ScoreTick:
        """The score, with nothing but what is here."""
        score = ScoreTick(self.ticks_per_quarter)
        score.time_signatures = TimeSignatureTickList.from_numpy(*self.meters)
        score.tempos = TempoTickList.from_numpy(*self.tempos)
        borders = np.searchsorted(self.track, np.arange(len(self.programs) + 1)).tolist()
        for program, begin, end in zip(self.programs.tolist(), borders, borders[1:], strict=False):
            track = TrackTick("", max(program, 0), program == DRUMS)
            if end > begin:
                fields = (self.onset, self.duration, self.pitch, self.velocity)
                track.notes = NoteTickList.from_numpy(*(values[begin:end] for values in fields))
            score.tracks.append(track)
        return score


def _in_force(events: np.ndarray, start: int, end: int | None) -> np.ndarray:
    """The events from `start` to `end`, in order of time, the last one before with them; moved to tick 0."""
    later = np.flatnonzero(events[0] > start)
    first = (later[0] if len(later) else events.shape[1]) - 1
    kept = events[:, max(first, 0) :]
    kept = kept[:, kept[0] < (FAR if end is None else end)].copy()
    kept[0] = np.maximum(kept[0] - start, 0)
    return kept


def _stacked(events: TempoTickList | TimeSignatureTickList, *names: str) -> np.ndarray:
    arrays = events.numpy()
    return np.stack([arrays[name] for name in names]).astype(np.int64)
