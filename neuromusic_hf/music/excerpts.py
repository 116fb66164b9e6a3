"""The music of a continuation: excerpts of a piece, and what of a continued piece is new."""

from collections import Counter

from symusic.core import NoteTick, ScoreTick, TempoTick, TimeSignatureTick, TrackTick, TrackTickList

from .bars import bar_starts

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
    known = Counter(_notes(prompt))
    tracks = [(track, _unknown(track, known)) for track in full.tracks]
    tracks = [(track, notes) for track, notes in tracks if notes]
    onset = min((note.time for _, notes in tracks for note in notes), default=full.end())
    start = int(bar_starts(full, onset + 1)[-1]) if from_zero else 0
    new = ScoreTick(full.tpq)
    for track, notes in tracks:
        copy = TrackTick(track.name, track.program, track.is_drum)
        for note in notes:
            copy.notes.append(NoteTick(note.time - start, note.duration, note.pitch, note.velocity))
        new.tracks.append(copy)
    for tempo in _from(full.tempos, start):
        new.tempos.append(TempoTick(max(0, tempo.time - start), tempo.qpm))
    for signature in _from(full.time_signatures, start):
        time = max(0, signature.time - start)
        new.time_signatures.append(TimeSignatureTick(time, signature.numerator, signature.denominator))
    return new


def _notes(score: ScoreTick):
    return ((track.program, track.is_drum, *_key(note)) for track in score.tracks for note in track.notes)


def _key(note) -> tuple:
    return note.time, note.duration, note.pitch, note.velocity


def _unknown(track, known: Counter) -> list:
    unknown = []
    for note in track.notes:
        key = (track.program, track.is_drum, *_key(note))
        if known[key]:
            known[key] -= 1
        else:
            unknown.append(note)
    return unknown


def _from(events, start: int) -> list:
    """The event in force at `start`, and those after it."""
    before = [event for event in events if event.time <= start]
    return before[-1:] + [event for event in events if event.time > start]
