"""The chords that miditok finds in the notes of a track, on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from miditok import TokenizerConfig
from miditok.constants import PITCH_CLASSES, UNKNOWN_CHORD_PREFIX

from .vocabulary import MISSING, NOTHING

MOST_NOTES = 10
"""That are looked at together."""
FEWEST_OF_CHORD, MOST_OF_CHORD = 3, 5
WIDEST = 24
"""Semitones from the first note of a chord to the last one."""
SHIFT = 9
"""Bits of an interval, in the number that stands for all of a chord."""


@dataclass(frozen=True, eq=False)
class Voicing:
    """
    Notes in which chords are looked for, one track after the other, by onset and pitch; arrays of shape `(notes,)`.

    Args:
        onset (`np.ndarray`): in ticks, and of each track further on than of the one before.
        end (`np.ndarray`): likewise.
        pitch (`np.ndarray`): MIDI pitch.
        beat (`np.ndarray`): ticks of a beat.
    """

    onset: np.ndarray
    end: np.ndarray
    pitch: np.ndarray
    beat: np.ndarray

    def take(self, index: np.ndarray) -> Voicing:
        """Some of the notes."""
        return Voicing(self.onset[index], self.end[index], self.pitch[index], self.beat[index])


class ChordBook:
    """
    The chords of a vocabulary.

    Args:
        config ([`miditok.TokenizerConfig`]): in which they are named.
        ids (`dict[str, int]`): of the tokens.
        resolution (`int`): steps of a beat; notes of a chord begin at most one apart.
    """

    def __init__(self, config: TokenizerConfig, ids: dict[str, int], resolution: int):
        self.resolution = resolution
        roots = [f"{root}:" for root in PITCH_CLASSES] if config.chord_tokens_with_root_note else [""] * 12
        known: dict[int, str] = {}
        for quality, intervals in config.chord_maps.items():
            if FEWEST_OF_CHORD <= len(intervals) <= MOST_OF_CHORD and isinstance(intervals, tuple):
                known.setdefault(_number(intervals), quality)
        self._numbers = np.array(sorted(known), np.int64)
        self._ids = np.array(
            [[ids.get(f"Chord_{root}{known[number]}", MISSING) for root in roots] for number in sorted(known)]
            + [[NOTHING] * 12],
            np.int32,
        )
        sizes = range(MOST_OF_CHORD + 1)
        words = [[f"Chord_{root}{UNKNOWN_CHORD_PREFIX}{size}" for root in roots] for size in sizes]
        unknown = NOTHING if config.chord_unknown is None else MISSING
        self._unknown = np.array([[ids.get(word, unknown) for word in row] for row in words], np.int32)

    def find(self, notes: Voicing) -> tuple[np.ndarray, np.ndarray]:
        """
        Finds chords.

        Returns:
            The index of the first note of each, and the ids.
        """
        nothing = np.zeros(0, np.int64), np.zeros(0, np.int32)
        starts = np.flatnonzero(np.diff(notes.onset) <= notes.beat[:-1] / self.resolution)
        if not len(starts):
            return nothing
        first = notes.take(starts)
        together = self._count_until(notes, starts, first.onset + first.beat // self.resolution)
        half = first.beat // 2
        clear = _ends_are_near(notes, starts, together, half)
        is_short = clear & (first.end - first.onset <= half)
        size = together.copy()
        size[is_short] = self._count_until(notes, starts[is_short], first.onset[is_short])
        chord = np.flatnonzero(clear & (size >= FEWEST_OF_CHORD) & (size <= MOST_OF_CHORD))
        chord = chord[notes.pitch[starts[chord] + size[chord] - 1] - first.pitch[chord] <= WIDEST]
        ids = self._name(notes.pitch, starts[chord], size[chord])
        chord, ids = chord[ids != NOTHING], ids[ids != NOTHING]
        if not len(chord):
            return nothing
        after = np.arange(1, len(notes.onset) + 1)
        after[starts] = starts + size
        skips = starts[clear]
        after[skips] = notes.onset.searchsorted(notes.onset[after[skips] - 1], side="right")
        reached = _reached(after, starts[chord])
        return starts[chord][reached], ids[reached]

    @staticmethod
    def _count_until(notes: Voicing, starts: np.ndarray, last: np.ndarray) -> np.ndarray:
        """How many notes, from each start on, begin until a tick."""
        return np.minimum(notes.onset.searchsorted(last, side="right") - starts, MOST_NOTES)

    def _name(self, pitch: np.ndarray, starts: np.ndarray, size: np.ndarray) -> np.ndarray:
        """The ids of chords of so many notes, `NOTHING` where there is no name for one."""
        number, root = size.copy(), pitch[starts]
        for index in range(MOST_OF_CHORD):
            more = np.flatnonzero(size > index)
            number[more] = (number[more] << SHIFT) + pitch[starts[more] + index] - root[more] + (1 << SHIFT - 1)
        place = self._numbers.searchsorted(number)
        place[np.append(self._numbers, -1)[place] != number] = len(self._numbers)
        return np.where(place < len(self._numbers), self._ids[place, root % 12], self._unknown[size, root % 12])


def _number(intervals: tuple[int, ...]) -> int:
    """One number for the intervals of a chord."""
    number = len(intervals)
    for interval in intervals:
        number = (number << SHIFT) + interval + (1 << SHIFT - 1)
    return number


def _ends_are_near(notes: Voicing, starts: np.ndarray, size: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Whether notes that begin together end within half a beat of the first one."""
    near = np.ones(len(starts), bool)
    rest = np.arange(len(starts))
    for index in range(1, int(size.max(initial=0))):
        rest = rest[size[rest] > index]
        near[rest] &= np.abs(notes.end[starts[rest] + index] - notes.end[starts[rest]]) <= half[rest]
    return near


def _reached(after: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """
    Which notes a walk comes to that begins at the first one.

    Args:
        after (`np.ndarray` of shape `(notes,)`): where it goes from each note: further on.
        wanted (`np.ndarray` of shape `(wanted,)`): notes, ascending.
    """
    # No step leads over such a note, so that the walk comes to it.
    furthest = np.append(0, np.maximum.accumulate(after)[:-1])
    certain = np.maximum.accumulate(np.where(furthest <= np.arange(len(after)), np.arange(len(after)), 0))
    found = np.zeros(len(wanted), bool)
    steps, now = after.data, 0
    for index, (note, begin) in enumerate(zip(wanted.tolist(), certain[wanted].tolist(), strict=True)):
        now = max(now, begin)
        while now < note:
            now = steps[now]
        found[index] = now == note
    return found
