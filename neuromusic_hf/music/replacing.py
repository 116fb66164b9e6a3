"""New notes in place of those of a span, in a copy of a score that is otherwise as it was."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from symusic.core import NoteTickList, ScoreTick, TrackTick

from .fitting import fit_notes
from .instruments import PROGRAM_NAMES
from .score_arrays import DRUMS, ScoreArrays


@dataclass(frozen=True, eq=False)
class Replaced:
    """
    A score with new notes in a span.

    Args:
        score ([`symusic.Score`]): all of it.
        added ([`symusic.Score`]): the new notes alone, as they stand in it, with its tempos and meters.
        removed ([`symusic.Score`]): the notes alone that they stand in place of, likewise.
        counts (`dict[str, int]`):
            Notes that were `added` and `removed`. Of those added, how many were `shortened`, as another note of their
            program strikes their pitch, and `moved` by a tick, as the nearest was the end of the span. Left out were
            those `outside` the span, of an `other_program`, at a pitch that is `sounding` already, or `doubled`.
    """

    score: ScoreTick
    added: ScoreTick
    removed: ScoreTick
    counts: dict[str, int]


def replace_notes(
    score: ScoreTick, start: int, end: int, new: ScoreTick, programs: Collection[int] | None = None
) -> Replaced:
    """
    Puts new notes in place of those that begin in a span; all else comes back as it was.

    Onsets and ends come to the nearest ticks of the score, and onsets stay within the span. No note begins where its
    pitch sounds from a note of its program that stays, and each ends where another strikes its pitch. Lengths of drums
    are not heard: a hit is left out only where its drum is struck at that very tick.

    Each note goes to the track of the note removed that is nearest to it, of its program: nearest in pitch, and of
    those as near, in time. If none of its program was removed, that of the nearest within the length of the span
    around it, else anywhere. If no track plays the program, a new one comes last, named as General MIDI names it.

    Args:
        score ([`symusic.Score`]): in ticks; it is not changed.
        start (`int`): tick at which the span begins.
        end (`int`): tick at which it ends.
        new ([`symusic.Score`]): in any ticks, of which 0 is the beginning of the span; its notes alone are read.
        programs (collection of `int`, *optional*):
            MIDI programs whose notes are replaced, -1 for drums: the notes of others stay. All if not given.

    Returns:
        [`Replaced`]

    Raises:
        `ValueError`: the span holds no tick, or there are no programs, or one that MIDI does not have.

    Example:
    ```py
    >>> from neuromusic_hf.music import load_score, replace_notes
    >>> score = load_score("song.mid")
    >>> replaced = replace_notes(score, 4 * score.tpq, 8 * score.tpq, new_bass, programs={32})
    >>> replaced.counts["added"]
    12
    ```
    """
    _check(start, end, programs)
    before = ScoreArrays.of(score)
    gone = (before.onset >= start) & (before.onset < end)
    if programs is not None:
        gone &= np.isin(before.programs, list(programs))[before.track]
    kept, removed = before.taken(np.flatnonzero(~gone)), before.taken(np.flatnonzero(gone))
    fitted, counts = fit_notes(ScoreArrays.of(new), kept, start, end, programs)
    result = score.copy()
    added = _in_tracks(fitted, result, before, removed, start, end)
    for index in np.unique(np.append(removed.track, added.track)).tolist():
        result.tracks[index].notes = _merged(_of_track(kept, index), _of_track(added, index))
    counts |= {"added": len(added), "removed": len(removed)}
    return Replaced(result, _alone(added), _alone(removed), counts)


def _check(start: int, end: int, programs: Collection[int] | None):
    if not 0 <= start < end:
        raise ValueError(f"A span from tick {start} to {end} holds none: take 0 <= start < end.")
    if programs is not None and not programs:
        raise ValueError("Nothing is replaced where there are no programs: give some, or None for all tracks.")
    for program in programs or ():
        if not DRUMS <= program < len(PROGRAM_NAMES):
            raise ValueError(f"There is no program {program}: MIDI has 0 to 127, and {DRUMS} stands for drums.")


def _in_tracks(
    new: ScoreArrays, score: ScoreTick, before: ScoreArrays, removed: ScoreArrays, start: int, end: int
) -> ScoreArrays:
    """New notes in the tracks that play them, which the score gets where it has none."""
    program, track = new.programs[new.track], np.zeros(len(new), np.int64)
    near = before.taken(np.flatnonzero((before.onset >= 2 * start - end) & (before.onset < 2 * end - start)))
    for each in np.unique(program).tolist():
        these = np.flatnonzero(program == each)
        played = (notes.taken(notes.programs[notes.track] == each) for notes in (removed, near, before))
        if others := next(filter(len, played), None):
            track[these] = others.track[_nearest(new.taken(these), others)]
        else:
            track[these] = _silent_track(score, each)
    in_score = ScoreArrays.of(score)
    new = replace(new, programs=in_score.programs, track=track, meters=before.meters, tempos=before.tempos)
    return new.taken(np.lexsort((new.pitch, new.onset, track)))


def _nearest(new: ScoreArrays, others: ScoreArrays) -> np.ndarray:
    """Which of the others is nearest to each new note: in pitch, and of those as near, in time."""
    nearest = np.zeros(len(new), np.int64)
    for pitch in np.unique(new.pitch).tolist():
        these, away = np.flatnonzero(new.pitch == pitch), np.abs(others.pitch - pitch)
        close = np.flatnonzero(away == away.min())
        nearest[these] = close[np.abs(others.onset[close] - new.onset[these, None]).argmin(axis=1)]
    return nearest


def _silent_track(score: ScoreTick, program: int) -> int:
    """The first track that a program had notes in, else a new one, which the score gets."""
    is_drum = program == DRUMS
    for index, track in enumerate(score.tracks):
        if track.is_drum == is_drum and (is_drum or track.program == program) and _plays(track):
            return index
    score.tracks.append(TrackTick("Drums" if is_drum else PROGRAM_NAMES[program], max(program, 0), is_drum))
    return len(score.tracks) - 1


def _plays(track: TrackTick) -> bool:
    """Whether it has, or had, notes: a track that does nothing but to hold a title or lyrics plays none."""
    return any(len(events) for events in (track.notes, track.controls, track.pitch_bends))


def _of_track(notes: ScoreArrays, index: int) -> ScoreArrays:
    return notes.taken(np.flatnonzero(notes.track == index))


def _merged(kept: ScoreArrays, added: ScoreArrays) -> NoteTickList:
    """Notes that stay in the order they had, and new ones after those that begin earlier or with them."""
    places = np.searchsorted(np.maximum.accumulate(kept.onset), added.onset, side="right")
    names = ("onset", "duration", "pitch", "velocity")
    return NoteTickList.from_numpy(*(np.insert(getattr(kept, name), places, getattr(added, name)) for name in names))


def _alone(notes: ScoreArrays) -> ScoreTick:
    return notes.without_silent_tracks().to_score()
