"""What becomes of notes between a score and its quantised form, on arrays.

Times are whole numbers in a unit that divides the ticks of both, so that nothing here rounds.
"""

import functools
from dataclasses import dataclass

import miditok
import numpy as np
from miditok import MusicTokenizer
from symusic.core import ScoreTick

DRUMS = -1
NUM_KEYS = NUM_PROGRAMS = 128
NUM_VOICES = 1 + NUM_PROGRAMS
SHIFT = 45
"""Bits of a place that hold its onset; the bits above hold its key."""


@dataclass(frozen=True)
class Notes:
    """
    Notes in the order of their places.

    Args:
        place (`np.ndarray` of shape `(notes,)`): key and onset in one number. Keys are those of each instrument.
        length (`np.ndarray` of shape `(notes,)`): in units.
    """

    place: np.ndarray
    length: np.ndarray

    @property
    def key(self) -> np.ndarray:
        return self.place >> SHIFT

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
class KeptPlaces:
    """
    The places at which notes are kept.

    Args:
        place (`np.ndarray` of shape `(places,)`): in order.
        notes (`np.ndarray` of shape `(places,)`): how many begin there; more than one of tracks that are kept apart.
        length (`np.ndarray` of shape `(places,)`): of the longest of them as it is written, in units.
        at_limit (`np.ndarray` of shape `(places,)`): whether it is as long as can be, so that a longer one was cut.
        step (`np.ndarray` of shape `(places,)`): of onsets, in units.
        rounding (`np.ndarray` of shape `(places,)`): how much longer a note may have been that is not cut, in units:
            a step of onsets, and half a step of lengths.
    """

    place: np.ndarray
    notes: np.ndarray
    length: np.ndarray
    at_limit: np.ndarray
    step: np.ndarray
    rounding: np.ndarray

    def nearest(self, place: np.ndarray) -> np.ndarray:
        """Index of the kept place next to each place."""
        after = np.searchsorted(self.place, place).clip(1, max(1, len(self.place) - 1))
        after = np.minimum(after, len(self.place) - 1)
        before = np.maximum(after - 1, 0)
        return np.where(place - self.place[before] <= self.place[after] - place, before, after)


def changed_notes(tokenizer: MusicTokenizer, score: ScoreTick, quantised: ScoreTick) -> dict:
    """The fields of [`Tally`] that are about notes; arguments as of [`take_tally`]."""
    unit = score.ticks_per_quarter * quantised.ticks_per_quarter
    solo = not tokenizer.one_token_stream
    given = read_notes(score, quantised.ticks_per_quarter, solo)
    kept = read_notes(quantised, score.ticks_per_quarter, solo)
    sounding_time = given.sounding_time(given.length)
    counts = {"notes": len(given.place), "notes_kept": len(kept.place), "sounding_time": sounding_time / unit}
    if len(kept.place) != len(given.place):
        counts |= _dropped(tokenizer, given, kept, solo)
    if not _only_rounded(tokenizer, given, kept, unit):
        surviving, cut = _surviving(given, _kept_places(tokenizer, quantised, kept, unit))
        counts["sounding_time_lost"] = (sounding_time - given.sounding_time(surviving)) / unit
        counts |= {"lengths_cut": len(cut), "length_cut": int(cut.sum()) / unit}
    return counts | (_merged(score) if solo else {})


def _only_rounded(tokenizer: MusicTokenizer, given: Notes, kept: Notes, unit: int) -> bool:
    """Whether, as in most pieces, every note is kept at nearly its length. Order tells which is which."""
    all_lengths_written = len(tokenizer.config.use_note_duration_programs) == NUM_VOICES
    if isinstance(tokenizer, miditok.PerTok) or not all_lengths_written:  # These cut lengths as they write them.
        return False
    if len(given.place) != len(kept.place) or (given.key != kept.key).any():
        return False
    return bool((given.length - kept.length).max(initial=0) * tokenizer.config.max_num_pos_per_beat * 4 <= unit)


def read_notes(score: ScoreTick, units_per_tick: int, solo: bool) -> Notes:
    """The notes of a score; where `solo`, all that are not drums are of one instrument."""
    tracks = [track for track in score.tracks if len(track.notes)]
    if not tracks:
        return Notes(np.zeros(0, np.int64), np.zeros(0, np.int64))
    soas = [track.notes.numpy() for track in tracks]
    voices = [DRUMS if track.is_drum else 0 if solo else track.program for track in tracks]
    voice = np.repeat(np.array(voices, np.int64) - DRUMS, [len(soa["time"]) for soa in soas])
    time, length, pitch = (
        np.concatenate([soa[name] for soa in soas], dtype=np.int64) for name in ("time", "duration", "pitch")
    )
    place = (voice * NUM_KEYS + pitch << SHIFT) + time * units_per_tick
    order = np.argsort(place, kind="stable")
    return Notes(place[order], length[order] * units_per_tick)


def _dropped(tokenizer: MusicTokenizer, given: Notes, kept: Notes, solo: bool) -> dict:
    """Why notes are missing. On a key of which some are kept, the others were duplicates."""
    size = int(max(given.key.max(initial=0), kept.key.max(initial=0))) + 1
    num_given, num_kept = np.bincount(given.key, minlength=size), np.bincount(kept.key, minlength=size)
    voices = np.arange(size) // NUM_KEYS + DRUMS
    known = voices != DRUMS if solo else np.isin(voices, list(tokenizer.config.programs))
    whole_key = np.where(num_kept == 0, num_given, 0)
    counts = {
        "dropped_programs": whole_key[~known].sum(),
        "dropped_drum_keys": whole_key[known & (voices == DRUMS)].sum(),
        "dropped_pitches": whole_key[known & (voices != DRUMS)].sum(),
        "dropped_duplicates": (num_given - num_kept)[num_kept > 0].sum(),
    }
    return {name: int(count) for name, count in counts.items()}


def _kept_places(tokenizer: MusicTokenizer, quantised: ScoreTick, kept: Notes, unit: int) -> KeptPlaces:
    first = np.flatnonzero(np.diff(kept.place, prepend=-1))
    place, length = kept.place[first], np.maximum.reduceat(kept.length, first)
    beat = _beats(tokenizer, quantised, Notes(place, length), unit)
    step = beat // tokenizer.config.max_num_pos_per_beat
    half_gap, longest = np.zeros(len(place)), np.full(len(place), np.inf)
    if _has_lengths(tokenizer):
        lengths = lengths_in_beats(tuple(tokenizer.durations))
        above = np.searchsorted(lengths, length / beat - 1e-9).clip(0, len(lengths) - 2)
        half_gap, longest = np.diff(lengths)[above] * beat / 2, lengths[-1] * beat
    has_length = np.zeros(NUM_VOICES, bool)
    has_length[np.array(list(tokenizer.config.use_note_duration_programs), int) - DRUMS] = True
    default = tokenizer.config.default_note_duration * beat
    longest = np.where(has_length[(place >> SHIFT) // NUM_KEYS], longest, default)
    written = np.where(length > longest + half_gap, longest, length).astype(np.int64)
    at_limit = written + half_gap >= longest
    notes = np.diff(first, append=len(kept.place))
    return KeptPlaces(place, notes, written, at_limit, step, step + half_gap)


def _has_lengths(tokenizer: MusicTokenizer) -> bool:
    """Whether it writes the length of a note as one token, and not its end."""
    return not tokenizer._note_on_off and bool(tokenizer.token_ids_of_type("Duration"))


@functools.cache
def lengths_in_beats(durations: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    """The lengths that a tokenizer's tokens stand for (`durations` of miditok), in order."""
    return np.sort([beats + parts / resolution for beats, parts, resolution in durations])


def _beats(tokenizer: MusicTokenizer, quantised: ScoreTick, notes: Notes, unit: int) -> np.ndarray:
    """What the tokenizer counts lengths in at each note, in units: the denominator of the meter, or a quarter."""
    if not tokenizer.config.use_time_signatures or isinstance(tokenizer, miditok.PerTok):
        return np.full(len(notes.place), unit)
    meters = quantised.time_signatures.numpy()
    times = meters["time"].astype(np.int64) * (unit // quantised.ticks_per_quarter)
    section = np.searchsorted(times, notes.onset, side="right") - 1
    return 4 * unit // meters["denominator"][section.clip(0)].astype(np.int64)


def _surviving(given: Notes, kept: KeptPlaces) -> tuple[np.ndarray, np.ndarray]:
    """
    Returns:
        `tuple[np.ndarray, np.ndarray]`: how long each note given goes on sounding, and what each cut note lost, in
        units. Of shortened notes at one place as many are cut, the longest, as are kept there at the limit; elsewhere
        as many as are not accounted for by duplicates.
    """
    if not len(kept.place):
        return np.zeros_like(given.length), given.length[:0]
    index = kept.nearest(given.place)
    reached = np.abs(given.place - kept.place[index]) <= kept.step[index]
    shortened = reached & (given.length > kept.length[index] + kept.rounding[index])
    surviving = np.where(reached, np.where(shortened, kept.length[index], given.length), 0)
    size = len(kept.place)
    dropped = np.bincount(index[reached], minlength=size) - kept.notes
    num_cut = np.where(kept.at_limit, kept.notes, np.bincount(index[shortened], minlength=size) - dropped)
    cut = np.flatnonzero(shortened)
    cut = cut[np.lexsort((-given.length[cut], index[cut]))]
    rank = np.arange(len(cut)) - np.searchsorted(index[cut], index[cut])
    cut = cut[rank < num_cut[index[cut]]]
    return surviving, given.length[cut] - surviving[cut]


def _merged(score: ScoreTick) -> dict:
    programs = {track.program for track in score.tracks if len(track.notes) and not track.is_drum}
    return {"programs_merged": len(programs - {0})}
