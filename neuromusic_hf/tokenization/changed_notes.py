"""What becomes of notes between a score and its quantised form, on arrays.

Times are whole numbers in a unit that divides the ticks of both, so that nothing here rounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from symusic.core import ScoreTick

from .token_limits import DRUMS, TokenLimits

NUM_KEYS = 128
SHIFT = 45
"""Bits of a place that hold its onset; the bits above hold its key."""


@dataclass(frozen=True)
class Notes:
    """
    Notes in the order of their places.

    Args:
        place (`np.ndarray` of shape `(notes,)`): key and onset in one number. Each instrument has keys of its own.
        length (`np.ndarray` of shape `(notes,)`): in units.
    """

    place: np.ndarray
    length: np.ndarray

    @classmethod
    def of(cls, score: ScoreTick, units_per_tick: int, limits: TokenLimits) -> Notes:
        """Those of a score. All but drums are of one instrument for a tokenizer that tells none apart."""
        tracks = [track for track in score.tracks if len(track.notes)]
        if not tracks:
            return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))
        programs = [DRUMS if track.is_drum else track.program * limits.tells_programs for track in tracks]
        soas = [track.notes.numpy() for track in tracks]
        time, length, pitch = (
            np.concatenate([soa[name] for soa in soas], dtype=np.int64) for name in ("time", "duration", "pitch")
        )
        voice = (np.array(programs, np.int64) - DRUMS).repeat([len(soa["time"]) for soa in soas])
        place = (voice * NUM_KEYS + pitch << SHIFT) + time * units_per_tick
        order = place.argsort(kind="stable")
        return cls(place[order], length[order] * units_per_tick)

    def __len__(self) -> int:
        return len(self.place)

    @property
    def key(self) -> np.ndarray:
        return self.place >> SHIFT

    @property
    def voice(self) -> np.ndarray:
        return self.key // NUM_KEYS

    @property
    def onset(self) -> np.ndarray:
        return self.place & (1 << SHIFT) - 1

    def sounding_time(self, length: np.ndarray) -> int:
        """Time that keys sound if notes last `length`, in units: notes that overlap on a key sound once."""
        ends = self.place + length
        covered = np.maximum.accumulate(ends)
        begins = np.maximum(self.place[1:], covered[:-1])
        return int(length[:1].sum() + np.maximum(ends[1:] - begins, 0).sum())


@dataclass(frozen=True)
class Kept:
    """
    What is kept at each place that has a note; arrays of shape `(places,)`.

    Args:
        place (`np.ndarray`): in order.
        notes (`np.ndarray`): how many begin there; more than one of tracks that are kept apart.
        length (`np.ndarray`): of the longest of them as it is written, in units.
        at_limit (`np.ndarray`): whether it is as long as can be, so that a longer one was cut.
        step (`np.ndarray`): of onsets, in units.
        rounding (`np.ndarray`): how much longer a note may have been that is not cut, in units: a step of onsets, and
            half a step of lengths.
    """

    place: np.ndarray
    notes: np.ndarray
    length: np.ndarray
    at_limit: np.ndarray
    step: np.ndarray
    rounding: np.ndarray

    @classmethod
    def of(cls, kept: Notes, quantised: ScoreTick, unit: int, limits: TokenLimits) -> Kept:
        """Of notes that are kept, at least one."""
        first = np.flatnonzero(np.concatenate([[True], kept.place[1:] != kept.place[:-1]]))
        notes = np.append(first[1:], len(kept)) - first
        longest_there = Notes(kept.place[first], np.maximum.reduceat(kept.length, first))
        beat = _beats(longest_there, quantised, unit, limits)
        length, half_gap, longest = longest_there.length, np.zeros(len(first)), np.full(len(first), np.inf)
        if not limits.ends_notes:
            last = len(limits.lengths) - 2
            above = np.minimum(limits.lengths.searchsorted(length / beat - 1e-9), last)
            half_gap = (limits.lengths[above + 1] - limits.lengths[above]) * beat / 2
            longest = limits.lengths[-1] * beat
        if not limits.writes_length.all():
            longest = np.where(limits.writes_length[longest_there.voice], longest, limits.default_length * beat)
        written = np.where(length > longest + half_gap, longest, length).astype(np.int64)
        step = beat // limits.onsets_per_beat
        return cls(longest_there.place, notes, written, written + half_gap >= longest, step, step + half_gap)

    def nearest(self, place: np.ndarray) -> np.ndarray:
        """Index of the kept place next to each place."""
        after = np.minimum(self.place.searchsorted(place), len(self.place) - 1)
        before = np.maximum(after - 1, 0)
        return np.where(place - self.place[before] <= self.place[after] - place, before, after)


def changed_notes(
    given: Notes, kept: Notes, score: ScoreTick, quantised: ScoreTick, unit: int, limits: TokenLimits
) -> dict:
    """
    The fields of [`Tally`] that are about notes.

    Args:
        given ([`Notes`]): of `score`.
        kept ([`Notes`]): of `quantised`.
        score ([`symusic.Score`]): in ticks.
        quantised ([`symusic.Score`]): what is written of it.
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
        surviving, cut = _surviving(given, Kept.of(kept, quantised, unit, limits))
        counts["sounding_time_lost"] = (sounding_time - given.sounding_time(surviving)) / unit
        counts |= {"lengths_cut": len(cut), "length_cut": int(cut.sum()) / unit}
    if not limits.tells_programs:
        programs = {track.program for track in score.tracks if len(track.notes) and not track.is_drum}
        counts["programs_merged"] = len(programs - {0})
    return counts


def _only_rounded(given: Notes, kept: Notes, unit: int, limits: TokenLimits) -> bool:
    """Whether, as in most pieces, every note is kept at nearly its length. Their order tells which is which."""
    if limits.cuts_late or len(given) != len(kept) or (given.key != kept.key).any():
        return False
    return bool((given.length - kept.length).max(initial=0) * limits.onsets_per_beat * 4 <= unit)


def _dropped(given: Notes, kept: Notes, limits: TokenLimits) -> dict:
    """Why notes are missing. On a key of which some are kept, the others were duplicates."""
    num_given, num_kept = np.bincount(given.key), np.bincount(kept.key)
    num_kept = np.concatenate([num_kept, np.zeros(max(0, len(num_given) - len(num_kept)), int)])[: len(num_given)]
    whole = np.flatnonzero((num_kept == 0) & (num_given > 0))
    counts = {"dropped_duplicates": int((num_given - num_kept).sum() - num_given[whole].sum())}
    if len(whole):
        voice = whole // NUM_KEYS
        reasons = np.where(limits.knows_voice[voice], voice == 0, 2)
        names = ("dropped_pitches", "dropped_drum_keys", "dropped_programs")
        counts |= {name: int(num_given[whole][reasons == reason].sum()) for reason, name in enumerate(names)}
    return counts


def _beats(notes: Notes, quantised: ScoreTick, unit: int, limits: TokenLimits) -> np.ndarray:
    """What lengths are counted in at each note, in units: the denominator of the meter, or a quarter."""
    if not limits.beat_is_denominator:
        return np.full(len(notes), unit)
    meters = quantised.time_signatures.numpy()
    times = meters["time"].astype(np.int64) * (unit // quantised.ticks_per_quarter)
    section = np.maximum(times.searchsorted(notes.onset, side="right") - 1, 0)
    return 4 * unit // meters["denominator"][section].astype(np.int64)


def _surviving(given: Notes, kept: Kept) -> tuple[np.ndarray, np.ndarray]:
    """
    Returns:
        `tuple[np.ndarray, np.ndarray]`: how long each note given goes on sounding, and what each cut note lost, in
        units. Of shortened notes at one place as many are cut, the longest, as are kept there at the limit; elsewhere
        as many as are not accounted for by duplicates.
    """
    index = kept.nearest(given.place)
    length = kept.length[index]
    reached = np.abs(given.place - kept.place[index]) <= kept.step[index]
    shortened = reached & (given.length > length + kept.rounding[index])
    surviving = np.where(shortened, length, given.length) * reached
    cut = np.flatnonzero(shortened)
    if len(cut):
        dropped = np.bincount(index[reached], minlength=len(kept.place)) - kept.notes
        missing = np.bincount(index[cut], minlength=len(kept.place)) - dropped
        num_cut = np.where(kept.at_limit, kept.notes, missing)
        cut = cut[np.lexsort((-given.length[cut], index[cut]))]
        rank = np.arange(len(cut)) - index[cut].searchsorted(index[cut])
        cut = cut[rank < num_cut[index[cut]]]
    return surviving, given.length[cut] - surviving[cut]
