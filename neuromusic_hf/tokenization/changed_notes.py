"""
What becomes of notes between a score and its quantised form, on arrays.

Times are whole numbers in a unit that divides the ticks of both, so that nothing here rounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..music.score_arrays import DRUMS, ScoreArrays
from .token_limits import TokenLimits

NUM_KEYS = 128
SHIFT = 45
"""Bits of a place that hold its onset; the bits above hold its key."""


@dataclass(frozen=True)
class PlacedNotes:
    """
    Notes in the order of their places.

    Args:
        place (`np.ndarray` of shape `(notes,)`): key and onset in one number. Each instrument has keys of its own.
        length (`np.ndarray` of shape `(notes,)`): in units.
    """

    place: np.ndarray
    length: np.ndarray

    @classmethod
    def of(cls, score: ScoreArrays, units_per_tick: int, limits: TokenLimits) -> PlacedNotes:
        """Those of a score. All but drums are of one instrument for a tokenizer that tells none apart."""
        voice = np.where(score.programs == DRUMS, 0, score.programs * limits.tells_programs - DRUMS)
        key = voice[score.track] * NUM_KEYS + score.pitch
        place = (key << SHIFT) + score.onset * units_per_tick
        order = key.astype(np.uint16).argsort(kind="stable")  # which is quick, and enough where onsets are in order
        placed = place[order]
        if (placed[1:] < placed[:-1]).any():
            order = place.argsort(kind="stable")
            placed = place[order]
        return cls(placed, score.duration[order] * units_per_tick)

    def __len__(self) -> int:
        return len(self.place)

    @property
    def key(self) -> np.ndarray:
        """Of each note, numbered through all instruments: shape `(notes,)`."""
        return self.place >> SHIFT

    @property
    def voice(self) -> np.ndarray:
        """The instrument of each note, 0 for drums: shape `(notes,)`."""
        return self.key // NUM_KEYS

    @property
    def onset(self) -> np.ndarray:
        """Of each note, in units: shape `(notes,)`."""
        return self.place & (1 << SHIFT) - 1

    def sounding_time(self, length: np.ndarray) -> int:
        """Time that keys sound if notes last `length`, in units: notes that overlap on a key sound once."""
        ends = self.place + length
        covered = np.maximum.accumulate(ends)
        begins = np.maximum(self.place[1:], covered[:-1])
        return int(length[:1].sum() + np.maximum(ends[1:] - begins, 0).sum())


@dataclass(frozen=True)
class KeptPlaces:
    """
    What is kept at each place that has a note; arrays of shape `(places,)`.

    Args:
        place (`np.ndarray`): in order.
        notes (`np.ndarray`): how many begin there; more than one of tracks that are kept apart.
        length (`np.ndarray`): of the longest of them as it is written, in units.
        beat (`np.ndarray`): what lengths are counted in there, in units.
    """

    place: np.ndarray
    notes: np.ndarray
    length: np.ndarray
    beat: np.ndarray

    @classmethod
    def of(cls, kept: PlacedNotes, quantised: ScoreArrays, unit: int, limits: TokenLimits) -> KeptPlaces:
        """Those of notes that are kept, at least one."""
        first = np.flatnonzero(np.concatenate([[True], kept.place[1:] != kept.place[:-1]]))
        notes = np.append(first[1:], len(kept)) - first
        longest = PlacedNotes(kept.place[first], np.maximum.reduceat(kept.length, first))
        places = cls(longest.place, notes, longest.length, _beats(longest, quantised, unit, limits))
        if not limits.cuts_late:
            return places
        return replace(places, length=np.minimum(places.length, places.longest(limits)).astype(np.int64))

    def nearest(self, place: np.ndarray) -> np.ndarray:
        """Index of the kept place next to each place."""
        after = np.minimum(self.place.searchsorted(place), len(self.place) - 1)
        before = np.maximum(after - 1, 0)
        return np.where(place - self.place[before] <= self.place[after] - place, before, after)

    def take(self, index: np.ndarray) -> KeptPlaces:
        """Some of the places."""
        return KeptPlaces(self.place[index], self.notes[index], self.length[index], self.beat[index])

    def half_gap(self, limits: TokenLimits) -> np.ndarray:
        """Half of the way to the next longer length, in units; of the last one, half of the way to it."""
        if limits.ends_notes:
            return np.zeros(len(self.place))
        above = limits.lengths.searchsorted(self.length / self.beat - 1e-9)
        return limits.gaps[np.minimum(above, len(limits.gaps) - 1)] * self.beat / 2

    def longest(self, limits: TokenLimits) -> np.ndarray:
        """The longest length that can be written there, in units."""
        beats = np.inf if limits.ends_notes else limits.lengths[-1]
        voice = (self.place >> SHIFT) // NUM_KEYS
        return np.where(limits.writes_length[voice], beats, limits.default_length) * self.beat


def changed_notes(
    given: PlacedNotes, kept: PlacedNotes, score: ScoreArrays, quantised: ScoreArrays, unit: int, limits: TokenLimits
) -> dict:
    """
    The fields of [`Tally`] that are about notes.

    Args:
        given ([`PlacedNotes`]): of `score`.
        kept ([`PlacedNotes`]): of `quantised`.
        score ([`ScoreArrays`]): the music.
        quantised ([`ScoreArrays`]): what is written of it.
        unit (`int`): units of a quarter note.
        limits ([`TokenLimits`]): of the tokenizer.
    """
    sounding_time = given.sounding_time(given.length)
    counts = {"notes": len(given), "notes_kept": len(kept), "sounding_time": sounding_time / unit}
    if len(kept) != len(given):
        counts |= _dropped(given, kept, limits)
    if not len(kept):
        counts["sounding_time_lost"] = sounding_time / unit
    elif not _only_rounded(given, kept, unit, limits):
        surviving, cut = _surviving(given, KeptPlaces.of(kept, quantised, unit, limits), limits)
        counts["sounding_time_lost"] = (sounding_time - given.sounding_time(surviving)) / unit
        counts |= {"lengths_cut": len(cut), "length_cut": int(cut.sum()) / unit}
    if not limits.tells_programs:
        programs = set(score.without_silent_tracks().programs.tolist())
        counts["programs_merged"] = len(programs - {0, DRUMS})
    return counts


def _only_rounded(given: PlacedNotes, kept: PlacedNotes, unit: int, limits: TokenLimits) -> bool:
    """Whether, as in most pieces, every note is kept at nearly its length. Their order tells which is which."""
    if limits.cuts_late or len(given) != len(kept) or (given.key != kept.key).any():
        return False
    return bool((given.length - kept.length).max(initial=0) * limits.onsets_per_beat * 4 <= unit)


def _dropped(given: PlacedNotes, kept: PlacedNotes, limits: TokenLimits) -> dict:
    """Why notes are missing. On a key of which some are kept, the others were duplicates."""
    num_given = np.bincount(given.key)
    num_kept = np.bincount(kept.key, minlength=len(num_given))[: len(num_given)]
    whole = np.flatnonzero((num_kept == 0) & (num_given > 0))
    counts = {"dropped_duplicates": int((num_given - num_kept).sum() - num_given[whole].sum())}
    if len(whole):
        voice = whole // NUM_KEYS
        reasons = np.where(limits.knows_voice[voice], voice == 0, 2)
        names = ("dropped_pitches", "dropped_drum_keys", "dropped_programs")
        counts |= {name: int(num_given[whole][reasons == reason].sum()) for reason, name in enumerate(names)}
    return counts


def _beats(notes: PlacedNotes, quantised: ScoreArrays, unit: int, limits: TokenLimits) -> np.ndarray:
    """What lengths are counted in at each note, in units: the denominator of the meter, or a quarter."""
    if not limits.beat_is_denominator:
        return np.broadcast_to(unit, len(notes))
    times, _, denominators = quantised.meters
    beats = 4 * unit // denominators
    if len(beats) == 1:
        return np.broadcast_to(beats, len(notes))
    times = times * (unit // quantised.ticks_per_quarter)
    return beats[np.maximum(times.searchsorted(notes.onset, side="right") - 1, 0)]


def _surviving(given: PlacedNotes, kept: KeptPlaces, limits: TokenLimits) -> tuple[np.ndarray, np.ndarray]:
    """
    How long each note given goes on sounding, and what each cut note lost, in units.

    What is kept in its place is the note next to it on its key. It may be a step of onsets and half a step of lengths
    longer than that: this is rounding.
    """
    index = kept.nearest(given.place)
    step = kept.beat[index] // limits.onsets_per_beat
    reached = given.key == kept.place[index] >> SHIFT
    surviving = given.length * reached
    excess = (given.length - kept.length[index]) * reached
    short = np.flatnonzero(excess > step)
    if len(short):
        short = short[excess[short] > step[short] + kept.take(index[short]).half_gap(limits)]
        surviving[short] = kept.length[index[short]]
    return surviving, excess[_cut(short, index, excess, reached, kept, limits)] if len(short) else short


def _cut(short: np.ndarray, index: np.ndarray, excess: np.ndarray, reached, kept: KeptPlaces, limits) -> np.ndarray:
    """
    Which notes were cut, of those that are kept too short.

    Of several at one place these are the longest: as many as are kept there at the longest length there is, elsewhere
    as many as are not accounted for by duplicates.
    """
    size = len(kept.place)
    dropped = np.bincount(index[reached], minlength=size) - kept.notes
    at_limit = kept.length + kept.half_gap(limits) >= kept.longest(limits)
    num_cut = np.where(at_limit, kept.notes, np.bincount(index[short], minlength=size) - dropped)
    short = short[np.lexsort((-excess[short], index[short]))]
    rank = np.arange(len(short)) - index[short].searchsorted(index[short])
    return short[rank < num_cut[index[short]]]
