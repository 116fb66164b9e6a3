"""The music of a continuation: excerpts of a piece, and what of a continued piece is new."""

import numpy as np
from symusic.core import NoteTickList, ScoreTick, TempoTick, TimeSignatureTick, TrackTick, TrackTickList

from .bars import bar_starts
from .note_arrays import NoteArrays, gather_notes

NO_END = 2**31 - 1
"""Beyond the last tick that symusic can hold."""


def excerpt(score: ScoreTick, start: int = 0, end: int | None = None) -> ScoreTick:
    """
    Returns the notes that begin from `start` up to `end` (exclusive), whole, moved so that `start` is tick 0.

    Args:
        score ([`symusic.Score`]): in ticks.
        start (`int`, *optional*, defaults to 0): tick.
        end (`int`, *optional*): tick; the end of the piece if not given.

    Returns:
        [`symusic.Score`] with the tempo and time signature in force at `start` and those after it, and without tracks
        that have no note.
    """
    part = score.clip(start, NO_END if end is None else end, clip_end=False).shift_time(-start)
    part.tracks = TrackTickList([track for track in part.tracks if len(track.notes)])
    return part


def new_music(full: ScoreTick, prompt: ScoreTick, *, from_zero: bool = True) -> ScoreTick:
    """
    Returns the notes of `full` that are not in `prompt`.

    Args:
        full ([`symusic.Score`]): a prompt and what follows, in ticks.
        prompt ([`symusic.Score`]): the prompt alone, in the same ticks.
        from_zero (`bool`, *optional*, defaults to `True`):
            Move the music to begin at tick 0 with the bar of its first note; otherwise it stays where it is in `full`.

    Returns:
        [`symusic.Score`] with the tempo and time signature in force, and without tracks that have no new note.
    """
    notes = gather_notes(full)
    is_new = ~are_among(notes, gather_notes(prompt))
    onset = int(notes.onset[is_new].min()) if is_new.any() else full.end()
    start = int(bar_starts(full, onset + 1)[-1]) if from_zero else 0
    new = ScoreTick(full.tpq)
    for index, track in enumerate(full.tracks):
        kept = is_new[notes.track == index]
        if kept.any():
            fields = {name: values[kept] for name, values in track.notes.numpy().items()}
            copy = TrackTick(track.name, track.program, track.is_drum)
            time, duration, pitch, velocity = (fields[name] for name in ("time", "duration", "pitch", "velocity"))
            copy.notes = NoteTickList.from_numpy(time - start, duration, pitch, velocity)
            new.tracks.append(copy)
    for tempo in _from(full.tempos, start):
        new.tempos.append(TempoTick(max(0, tempo.time - start), tempo.qpm))
    for signature in _from(full.time_signatures, start):
        time = max(0, signature.time - start)
        new.time_signatures.append(TimeSignatureTick(time, signature.numerator, signature.denominator))
    return new


def are_among(notes: NoteArrays, known: NoteArrays) -> np.ndarray:
    """Whether notes are among the known ones: of equal notes the first, as many as are known."""
    columns = (np.concatenate(pair) for pair in zip(_keys(known), _keys(notes), strict=True))
    instrument, times = columns
    order = np.lexsort((times, instrument))  # of equal ones the known first
    differs = (np.diff(times[order], prepend=0) != 0) | (np.diff(instrument[order], prepend=-1) != 0)
    group, is_known = np.cumsum(differs) - 1, order < len(known)
    place = np.arange(len(order)) - np.flatnonzero(differs)[group]
    found = np.empty(len(order), bool)
    found[order] = place < 2 * np.bincount(group[is_known], minlength=len(order))[group]
    return found[len(known) :]


def _keys(notes: NoteArrays) -> tuple[np.ndarray, np.ndarray]:
    """Two numbers of each note, which equal notes share: of what is played, and of when and how long."""
    instrument = notes.program * 2 + notes.is_drum
    return (instrument * 128 + notes.pitch) * 128 + notes.velocity, (notes.onset << 32) + notes.duration


def _from(events, start: int) -> list:
    """The event in force at `start`, and those after it."""
    before = [event for event in events if event.time <= start]
    return before[-1:] + [event for event in events if event.time > start]
