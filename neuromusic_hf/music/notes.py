"""Which note-off event ends which note."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from dataclasses import dataclass

import numpy as np

from .midi_file import MidiFile

PORT = 0x21
NOTE_OFF, NOTE_ON = 0x80, 0x90


@dataclass(frozen=True)
class Notes:
    """
    The notes of a file, as arrays of the same length.

    Args:
        on (`np.ndarray`): number of the event that begins the note.
        off (`np.ndarray`): number of the event that ends it, -1 if none does.
        end (`np.ndarray`): tick at which it ends.
    """

    on: np.ndarray
    off: np.ndarray
    end: np.ndarray


def channels_of(file: MidiFile) -> np.ndarray:
    """
    Channels of events, and 16 more for each port: of shape `(events,)`.

    All tracks share the channels of a port. A track is on the first port that it names from its beginning on.
    """
    number, meta = np.arange(len(file.track)), file.meta
    begins = np.diff(file.track, prepend=-1) > 0
    named = np.zeros(len(number), np.int64)
    for event in np.flatnonzero(meta == PORT)[::-1].tolist():
        port = int.from_bytes(file.content(event)[:1], "big")
        named[[event, np.searchsorted(file.track, file.track[event])]] = port
    last = np.maximum.accumulate(np.where(begins | (meta == PORT), number, 0))
    return named[last] * 16 + (file.message[:, 0] & 15)


def begins_notes(file: MidiFile) -> np.ndarray:
    """Whether events are note-ons."""
    return (file.status == NOTE_ON) & (file.message[:, 2] > 0)


def ends_notes(file: MidiFile) -> np.ndarray:
    """Whether events are note-offs, or note-ons without velocity, which mean the same."""
    return (file.status == NOTE_OFF) | (file.status == NOTE_ON) & (file.message[:, 2] == 0)


def pair_notes(file: MidiFile) -> Notes:
    """
    Pairs the events of notes as they come.

    A note-off ends the oldest note of its key that sounds in its own track, else in another. A note that none ends
    lasts until its key is struck again, else to the end of its track; a quarter note, where the track ends at once.
    """
    key = channels_of(file) * 128 + file.message[:, 1]
    begins = begins_notes(file)
    events = np.flatnonzero(begins | ends_notes(file))
    events = events[np.lexsort((events, key[events], file.track[events]))]
    on, off, stray = _first_in_first_out(events, begins[events], file.track[events], key[events])
    notes = Notes(on, off, np.where(off < 0, file.ends[file.track[on]], file.tick[off]))
    rows = np.full(len(key), -1)
    rows[on] = np.arange(len(on))
    first, last = np.full(key.max(initial=0) + 1, len(file.ends)), np.full(key.max(initial=0) + 1, -1)
    np.minimum.at(first, key[on], file.track[on])
    np.maximum.at(last, key[on], file.track[on])
    own, struck = file.track[stray], last[key[stray]] >= 0
    elsewhere = struck & ((first[key[stray]] != own) | (last[key[stray]] != own))
    unclear = np.unique(key[np.append(on[off < 0], stray[elsewhere])])
    by_key = events[np.lexsort((events, file.tick[events], key[events]))]
    borders = np.searchsorted(key[by_key], [unclear, unclear + 1])
    for begin, stop in borders.T.tolist():
        _pair_again(notes, rows, file, by_key[begin:stop], begins)
    return notes


def _first_in_first_out(
    events: np.ndarray, begins: np.ndarray, track: np.ndarray, key: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Pairs within each key of each track, whose events stand together.

    Returns:
        The events that begin notes, those that end them (-1 for none), and those that end nothing.
    """
    new = (np.diff(track, prepend=-1) != 0) | (np.diff(key, prepend=-1) != 0)
    group = np.cumsum(new) - 1
    size = len(events) + 1
    sounding = np.cumsum(np.where(begins, 1, -1))
    sounding -= np.append(0, sounding)[np.flatnonzero(new)][group] if len(events) else 0
    fewest = np.minimum(np.minimum.accumulate(sounding - group * 2 * size) + group * 2 * size, 0)
    before = np.where(new, 0, np.append(0, fewest[:-1])) if len(events) else fewest
    stray = ~begins & (sounding < before)
    ends = np.flatnonzero(~begins & ~stray)
    on = np.flatnonzero(begins)
    groups = int(group[-1]) + 1 if len(events) else 0
    ons_before, ends_before = (
        np.append(0, np.cumsum(np.bincount(group[which], minlength=groups)))[:-1] for which in (on, ends)
    )
    rank = np.arange(len(on)) - ons_before[group[on]]
    there = rank < np.bincount(group[ends], minlength=groups)[group[on]]
    off = np.full(len(on), -1, np.int64)
    off[there] = events[ends[(ends_before[group[on]] + rank)[there]]]
    return events[on], off, events[stray]


def _pair_again(notes: Notes, rows: np.ndarray, file: MidiFile, group: np.ndarray, begins: np.ndarray) -> None:
    """Pairs the events of one key, in the order of time over all tracks."""
    sounding: dict[int, deque[int]] = defaultdict(deque)
    since_silence: dict[int, list[int]] = defaultdict(list)
    struck: list[tuple[int, int, int]] = []
    for event, tick, track in zip(group.tolist(), file.tick[group].tolist(), file.track[group].tolist(), strict=True):
        if begins[event]:
            sounding[track].append(event)
            since_silence[track].append(event)
            heapq.heappush(struck, (tick, event, track))
            continue
        while not sounding[track] and struck:
            _, oldest, other = struck[0]
            if sounding[other] and sounding[other][0] <= oldest:
                track = other
            else:
                heapq.heappop(struck)
        if not sounding[track]:
            continue
        _end(notes, rows[sounding[track].popleft()], event, file)
        if sounding[track]:
            since_silence[track].append(event)
        else:
            since_silence[track].clear()
    for track, events in since_silence.items():
        if events:
            _strike_again(notes, rows, file, events, begins, int(file.ends[track]))


def _strike_again(
    notes: Notes, rows: np.ndarray, file: MidiFile, events: list[int], begins: np.ndarray, end: int
) -> None:
    """Pairs those since the last silence of a key that nothing silences at last: each note ends the one before it."""
    current = None
    for event in events:
        if current is not None:
            _end(notes, rows[current], -1 if begins[event] else event, file, int(file.tick[event]))
        current = event if begins[event] else None
    if current is not None:
        onset = int(file.tick[current])
        _end(notes, rows[current], -1, file, end if end > onset else onset + file.tpq)


def _end(notes: Notes, row: int, off: int, file: MidiFile, tick: int | None = None) -> None:
    notes.off[row] = off
    notes.end[row] = file.tick[off] if tick is None else tick
