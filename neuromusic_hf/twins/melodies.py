"""The melodic lines of a piece: of every track, its upper voices and its bass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from symusic.core import ScoreTick

from ..music import gather_notes
from ..music.note_arrays import NoteArrays

CHORD_SPREAD = 0.08
"""Of a quarter: notes of a track that begin within it are one chord, as those of a played one do not begin at once."""

TIED_OVER = 0.25
"""Of a note: so much of it may sound on while the next one of its voice does, no longer than half of that."""

UPPER_VOICES = 3
MOST_SOUNDING = 12
"""Notes of a track, back from each note, that are asked whether they still sound."""


@dataclass(frozen=True, eq=False)
class Melody:
    """
    The melodic lines of a piece, one after the other. A note that repeats the pitch before it in its line is left out.

    Args:
        pitch (`np.ndarray` of shape `(notes,)`, `uint8`): MIDI pitch.
        onset (`np.ndarray` of shape `(notes,)`, `int32`): in ticks.
        size (`np.ndarray` of shape `(lines,)`, `int32`): notes of each line.
    """

    pitch: np.ndarray
    onset: np.ndarray
    size: np.ndarray

    @property
    def line(self) -> np.ndarray:
        """Number of the line of each note, from 0: of shape `(notes,)`."""
        return np.repeat(np.arange(len(self.size)), self.size)


NO_MELODY = Melody(np.zeros(0, np.uint8), np.zeros(0, np.int32), np.zeros(0, np.int32))


def melody_of(score: ScoreTick) -> Melody:
    """
    Takes the melodic lines out of a piece.

    Those of a track are its highest, second and third voice, and its lowest: a note belongs to the voice that says how
    many higher notes of the track sound with it, and to the lowest if none does below it. Drums have none.

    Args:
        score ([`symusic.Score`]): in ticks.

    Returns:
        [`Melody`], without lines where the score has no notes but of drums.
    """
    notes = gather_notes(score, drums=False)
    if not len(notes):
        return NO_MELODY
    spread = CHORD_SPREAD * score.tpq
    track, chord, onset, pitch, end = _in_chords(notes, spread)
    above, is_lowest = _voices(track, chord, onset, pitch, end, spread)
    chosen = [np.flatnonzero(above == voice) for voice in range(UPPER_VOICES)]
    chosen.append(np.flatnonzero(is_lowest & (above > 0)))
    index = np.concatenate(chosen)
    voice = np.repeat(np.arange(len(chosen)), [len(each) for each in chosen])
    line = track[index] * len(chosen) + voice
    order = np.argsort(line, kind="stable")  # each voice is in order of time already
    index, line = index[order], line[order]
    repeats = (np.diff(line, prepend=-1) == 0) & (np.diff(pitch[index], prepend=-1) == 0)
    index, line = index[~repeats], line[~repeats]
    size = np.unique(line, return_counts=True)[1]
    return Melody(pitch[index].astype(np.uint8), onset[index].astype(np.int32), size.astype(np.int32))


def _in_chords(notes: NoteArrays, spread: float) -> tuple[np.ndarray, ...]:
    """Track, chord, onset, pitch and end of notes, by track, chord and falling pitch; none is twice in a chord."""
    order = np.lexsort((notes.onset, notes.track))
    track, onset, pitch, end = (array[order] for array in (notes.track, notes.onset, notes.pitch, notes.end))
    begins = (np.diff(track, prepend=-1) != 0) | (np.diff(onset, prepend=onset[0]) > spread)
    chord = np.cumsum(begins) - 1
    order = np.argsort(chord * 128 + (127 - pitch), kind="stable")
    track, chord, onset, pitch, end = (array[order] for array in (track, chord, onset, pitch, end))
    once = (np.diff(chord, prepend=-1) != 0) | (np.diff(pitch, prepend=-1) != 0)
    track, chord, onset, pitch, end = (array[once] for array in (track, chord, onset, pitch, end))
    return track, chord, onset, pitch, end


def _voices(
    track: np.ndarray, chord: np.ndarray, onset: np.ndarray, pitch: np.ndarray, end: np.ndarray, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """How many higher notes of its track sound when a note begins, and whether no lower one does."""
    above, below = np.zeros(len(pitch), np.int8), np.zeros(len(pitch), bool)
    duration = end - onset
    for back in range(1, min(MOST_SOUNDING, len(pitch) - 1) + 1):
        now, then = slice(back, None), slice(None, -back)
        with_it = chord[then] == chord[now]  # those before it in its chord are higher
        legato = np.maximum(spread, np.minimum(duration[then] * TIED_OVER, duration[now] / 2))
        sounding = (track[then] == track[now]) & (end[then] - onset[now] > legato) & ~with_it
        higher = pitch[then] > pitch[now]
        above[now] += with_it | sounding & higher
        below[now] |= sounding & (pitch[then] < pitch[now])
        below[then] |= with_it
    return above, ~below
