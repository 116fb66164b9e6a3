"""The melodic lines of a piece: of every track, its upper voices and its bass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from symusic.core import ScoreTick

from ..music import gather_notes
from ..music.note_arrays import NoteArrays
from .detectors import NEWEST, Detector

CHORD_SPREAD = 0.08
"""Of a quarter: notes of a track that begin within it are one chord, as those of a played one do not begin at once."""

CROWDED = 0.25
"""Share of the time of a piece that lies between onsets of one chord, beyond which its note values are too short;"""

SLOW_GAPS = 0.9
"""then its pace is told by the time within which so many onsets are followed by the next,"""

SPREAD_OF_GAP = 0.2
"""of which a chord takes so much at most."""

HELD_UNDER = 0.25
"""Share of the chords of a track whose highest note begins under another and sounds on when the next one begins, from
which on they may be held by a pedal."""

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


def melody_of(score: ScoreTick, detector: Detector = NEWEST) -> Melody:
    """
    Takes the melodic lines out of a piece.

    Those of a track are its highest, second and third voice, and its lowest: a note belongs to the voice that says how
    many higher notes of the track sound with it, and to the lowest if none does below it. Where many of them are held
    under others, as by a pedal, the highest that begin are a line, too. Drums have none.

    Args:
        score ([`symusic.Score`]): in ticks.
        detector ([`Detector`], *optional*): that the melody is for; the newest if not given.

    Returns:
        [`Melody`], without lines where the score has no notes but of drums.
    """
    notes = gather_notes(score, drums=False)
    if not len(notes):
        return NO_MELODY
    spread = CHORD_SPREAD * score.tpq
    if detector.finds_pace:
        spread = _bounded_by_pace(spread, notes.onset)
    track, chord, onset, pitch, end = _in_chords(notes, spread)
    above, is_lowest = _voices(track, chord, onset, pitch, end, spread)
    chosen = [np.flatnonzero(above == voice) for voice in range(UPPER_VOICES)]
    chosen.append(np.flatnonzero(is_lowest & (above > 0)))
    if detector.by_onset:
        chosen.append(_struck_highest(track, chord, onset, end, above, spread))
    index = np.concatenate(chosen)
    voice = np.repeat(np.arange(len(chosen)), [len(each) for each in chosen])
    line = track[index] * len(chosen) + voice
    order = np.argsort(line, kind="stable")  # each voice is in order of time already
    index, line = index[order], line[order]
    begins = changes(line)
    lasting = begins | changes(pitch[index])
    index = index[lasting]
    size = np.add.reduceat(lasting, np.flatnonzero(begins), dtype=np.int32)
    return Melody(pitch[index].astype(np.uint8), onset[index].astype(np.int32), size)


def changes(values: np.ndarray) -> np.ndarray:
    """Whether each value is the first, or another than the one before it."""
    return np.append(np.ones(min(1, len(values)), bool), values[1:] != values[:-1])


def _bounded_by_pace(spread: float, onset: np.ndarray) -> float:
    """What a chord may take, in ticks, in a piece whose note values may be those of another one divided."""
    gaps = np.diff(np.sort(onset, kind="stable"))  # fast where much is in order
    gaps = gaps[gaps > 0]
    if gaps[gaps <= spread].sum() <= CROWDED * gaps.sum():
        return spread
    place = int(SLOW_GAPS * len(gaps))
    return min(spread, SPREAD_OF_GAP * float(np.partition(gaps, place)[place]))


def _struck_highest(
    track: np.ndarray, chord: np.ndarray, onset: np.ndarray, end: np.ndarray, above: np.ndarray, spread: float
) -> np.ndarray:
    """The highest note of each chord, of tracks in which many of these begin under a note, and outlast the next."""
    highest = np.flatnonzero(changes(chord))
    place = track[highest]
    outlasts = np.append(end[highest[:-1]] - onset[highest[1:]] > spread, False)
    held = np.bincount(place, weights=outlasts & (above[highest] > 0))
    return highest[(held > HELD_UNDER * np.bincount(place))[place]]


def _in_chords(notes: NoteArrays, spread: float) -> tuple[np.ndarray, ...]:
    """Track, chord, onset, pitch and end of notes, by track, chord and falling pitch; none is twice in a chord."""
    order = np.lexsort((notes.onset, notes.track))
    track, onset, pitch, end = (array[order] for array in (notes.track, notes.onset, notes.pitch, notes.end))
    begins = changes(track)
    begins[1:] |= np.diff(onset) > spread
    chord = np.cumsum(begins) - 1
    place = chord * 128 + (127 - pitch)
    order = np.argsort(place, kind="stable")
    order = order[changes(place[order])]
    return track[order], chord[order], onset[order], pitch[order], end[order]


def _voices(
    track: np.ndarray, chord: np.ndarray, onset: np.ndarray, pitch: np.ndarray, end: np.ndarray, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """How many higher notes of its track sound when a note begins, and whether no lower one does."""
    above, below = np.zeros(len(pitch), np.int8), np.zeros(len(pitch), bool)
    duration = end - onset
    apart = track * (end.max() - onset.min() + 1)  # no note of a track sounds in another one
    onset, end = onset + apart, end + apart
    fades = end - np.maximum(spread, duration * TIED_OVER).astype(np.int64)
    lasts = onset + np.maximum(spread, duration / 2).astype(np.int64)
    for back in range(1, min(MOST_SOUNDING, len(pitch) - 1) + 1):
        now, then = slice(back, None), slice(None, -back)
        with_it = chord[then] == chord[now]  # those before it in its chord are higher
        sounding = ((fades[then] > onset[now]) | (end[then] > lasts[now])) & ~with_it
        above[now] += with_it | sounding & (pitch[then] > pitch[now])
        below[now] |= sounding & (pitch[then] < pitch[now])
        below[then] |= with_it
    return above, ~below
