"""Notes and programs, such that readers that read one track at a time hear them as players do."""

from __future__ import annotations

import numpy as np

from .limits import SanityLimits
from .mends import Mends
from .meta_events import SET_TEMPO
from .midi_file import MidiFile
from .notes import NOTE_OFF, Notes, begins_notes, channels_of, ends_notes, pair_notes
from .tempo import TempoMap

PROGRAM = 0xC0
DRUM_CHANNEL = 9
WHOLE_NOTE = 4
"""Quarter notes that a stuck note keeps at least."""


def mend_notes(file: MidiFile, mends: Mends, limits: SanityLimits) -> MidiFile:
    """
    Gives every note its end, in its own track.

    If damage may be mended, drum hits of no length become a tick long, other notes of no length are dropped, and those
    beyond the limits are cut.
    """
    notes = pair_notes(file)
    if not len(notes.on):
        return file
    track, onset, end = file.track[notes.on], file.tick[notes.on], notes.end.copy()
    hanging = notes.off < 0
    _count(
        mends,
        "note_never_off",
        hanging,
        "notes are never switched off: they end with the next of their key, or with their track",
    )
    foreign = ~hanging & (file.track[notes.off] != track)
    _count(mends, "note_off_of_another_track", foreign, "notes are switched off by another track")
    none, drum = end <= onset, file.message[notes.on, 0] & 15 == DRUM_CHANNEL
    dropped = np.zeros(len(end), bool)
    if mends.allowed:
        dropped = none & ~drum
        _count(mends, "drum_hit_of_no_length", none & drum, "notes are drum hits of no length: they last a tick")
        _count(mends, "note_of_no_length", dropped, "notes have no length, and are no drum hits: they are dropped")
        end[none & drum] += 1
        longest = _longest_ends(file, onset, end, limits)
        _count(mends, "stuck_note", end > longest, "notes are longer than the limits: they are cut")
        end = np.minimum(end, longest)
    else:
        end[none & (hanging | foreign)] += 1  # the event that ends them comes first of its tick
    return _with_ends(file, notes, dropped, end)


def mend_programs(file: MidiFile, mends: Mends) -> MidiFile:
    """Says the program of a note in its own track, where another one says it: all tracks share their channels."""
    channel = channels_of(file)
    changes, values = file.status == PROGRAM, file.message[:, 1]
    heard, _ = in_force(channel, np.argsort(file.tick, kind="stable"), changes, values)
    own = file.track * (channel.max(initial=0) + 1) + channel
    said, said_by = in_force(own, np.arange(len(own)), changes, values)
    notes = np.flatnonzero(begins_notes(file))
    notes = notes[np.argsort(own[notes], kind="stable")]
    wrong = said[notes] != heard[notes]
    if not wrong.any():
        return file
    mends.oddity(
        "program_of_another_track",
        f"{wrong.sum()} of {len(wrong)} notes sound with a program that another track sets",
        int(wrong.sum()),
    )
    first = np.diff(own[notes], prepend=-1) != 0
    said_since = first | (said_by[notes] > np.roll(notes, 1))
    before = np.where(said_since, said[notes], np.roll(heard[notes], 1))
    places = np.sort(notes[before != heard[notes]])
    message = np.stack([file.message[places, 0] & 15 | PROGRAM, heard[places], np.zeros(len(places))], axis=1)
    return file.inserted(places, file.track[places], file.tick[places], message)


def _count(mends: Mends, kind: str, found: np.ndarray, what: str) -> None:
    if count := int(found.sum()):
        mends.oddity(kind, f"{count} of {len(found)} {what}", count)


def _longest_ends(file: MidiFile, onset: np.ndarray, end: np.ndarray, limits: SanityLimits) -> np.ndarray:
    """Ticks at which notes have to end: those beyond the limits with the others, as far as the limits allow."""
    longest = np.full(len(onset), np.iinfo(np.int64).max)
    if limits.max_note_quarters is not None:
        longest = onset + int(limits.max_note_quarters * file.tpq)
    if limits.max_note_seconds is not None:
        changes = np.flatnonzero(file.meta == SET_TEMPO)
        microseconds = np.array([int.from_bytes(file.content(event), "big") for event in changes.tolist()])
        tempos = TempoMap.of_changes(file.tick[changes], microseconds, file.tpq)
        longest = np.minimum(longest, tempos.to_ticks(tempos.to_seconds(onset) + limits.max_note_seconds))
    stuck = end > longest
    others = end[~stuck].max(initial=0)
    with_others = np.maximum(others, onset + WHOLE_NOTE * file.tpq)
    return np.maximum(np.where(stuck, np.minimum(longest, with_others), longest), onset + 1)


def _with_ends(file: MidiFile, notes: Notes, dropped: np.ndarray, end: np.ndarray) -> MidiFile:
    """With the note-off events that end the notes there, first of their tick, and without those that end none."""
    track, old = file.track[notes.on], notes.off
    changed = (old < 0) | (file.tick[old] != end) | (file.track[old] != track)
    changed &= ~dropped
    if not (changed | dropped).any():
        return file
    message = file.message[notes.on[changed]]
    message[:, 0] = message[:, 0] & 15 | NOTE_OFF
    has_off = old[changed] >= 0
    message[has_off] = file.message[old[changed][has_off]]
    keep = ~ends_notes(file)
    keep[old[~changed & ~dropped]] = True
    keep[notes.on[dropped]] = False
    file, span = file.kept(keep), int(max(end.max(), file.tick.max())) + 1
    order = np.lexsort((end[changed], track[changed]))
    track, end, message = track[changed][order], end[changed][order], message[order]
    places = np.searchsorted(file.track * span + file.tick, track * span + end)
    return file.inserted(places, track, end, message)


def in_force(
    group: np.ndarray, time_order: np.ndarray, changes: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each event the value of the last change of its group up to it, 0 before any; and that change, or -1."""
    order = time_order[np.argsort(group[time_order], kind="stable")]
    begins = np.diff(group[order], prepend=-1) != 0
    last = np.maximum.accumulate(np.where(begins | changes[order], np.arange(len(order)), 0))
    by = np.empty(len(order), np.int64)
    by[order] = np.where(changes[order[last]], order[last], -1)
    return np.where(by >= 0, values[by], 0), by
