"""A MIDI file with the notes of a score in it, and all else as it was."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from symusic.core import ScoreTick

from .channels import DRUM_CHANNEL
from .chunks import read_events
from .excerpts import are_among
from .homes import Home, Homes, NewTrack
from .mending import PROGRAM, in_force
from .mends import Mends
from .midi_file import MidiFile
from .note_arrays import NoteArrays, gather_notes
from .notes import NOTE_OFF, NOTE_ON, PORT, begins_notes, channels_of, pair_notes
from .reading import read_midi
from .score_arrays import FAR
from .track_chunks import NAME
from .track_reader import META
from .writable import UnwritableScore, check_writable

RELEASE = 64
"""Velocity with which a key is let go, where nothing is known of it."""


def edit_midi(data: bytes, score: ScoreTick) -> bytes:
    """
    Gives a MIDI file the notes of a score, and leaves all else of it as it is.

    Notes that the score lacks are taken out, and those that it has more are put in: on the channel of their track
    where the file has that, else in a new track, on a channel without notes, or without notes meanwhile. All other
    events stay, also those of which a score knows nothing: aftertouch, system exclusive events, texts in any encoding,
    and what plays on which channel.

    Args:
        data (`bytes`): the file.
        score ([`symusic.Score`]):
            What [`read_midi`] reads from it, with other notes, as [`replace_notes`] gives it; more tracks may follow.

    Returns:
        `bytes`: a standard MIDI file from which [`read_midi`] reads the notes of `score`. Where these are those of the
        file, it is that, with whatever had to be mended.

    Raises:
        [`RefusedFile`]: the file holds no music that can be read.
        [`UnwritableScore`]: no MIDI file holds a value, or no channel of this one a note; the message has the numbers.
        `ValueError`: the score has other tracks or ticks than the file.

    Example:
    ```py
    >>> from neuromusic_hf.music import edit_midi, read_midi, replace_notes
    >>> data = Path("song.mid").read_bytes()
    >>> replaced = replace_notes(read_midi(data).score, 1920, 3840, new)
    >>> Path("song_with_new_notes.mid").write_bytes(edit_midi(data, replaced.score))
    ```
    """
    reading = read_midi(data)
    check_writable(score)
    _check_is_of(score, reading.score)
    before, after = _by_track(reading.notes), _by_track(gather_notes(score))
    gone, new = ~are_among(before, after), np.flatnonzero(~are_among(after, before))
    if not gone.any() and not len(new):
        return reading.data
    file = read_events(reading.data, Mends())
    written = WrittenNotes.of(file)
    rows = written.rows_of(reading.notes)
    stays = np.ones(len(written.on), bool)
    stays[rows[gone]] = False
    homes = _homes(file, written, stays, after.onset[new], after.end[new])
    for index, first in zip(*np.unique(before.track, return_index=True), strict=True):
        homes.settle(int(index), written.home(rows[first]))
    placed = _place(score, after, new, homes)
    file = _without(file, written.on[~stays], written.off[~stays])
    for track in homes.opened:
        file = _with_track(file, track)
    return _with_notes(file, placed).to_bytes()


@dataclass(frozen=True, eq=False)
class WrittenNotes:
    """
    The notes of a file: `int64` arrays of shape `(notes,)`.

    Args:
        on (`np.ndarray`): number of the event that begins them.
        off (`np.ndarray`): number of the event that ends them.
        track (`np.ndarray`): of the file.
        channel (`np.ndarray`): 0 to 15, and 16 more for each port.
        program (`np.ndarray`): that their track has said.
        onset (`np.ndarray`): in ticks.
        end (`np.ndarray`): in ticks.
        pitch (`np.ndarray`): MIDI pitch.
        velocity (`np.ndarray`): MIDI velocity.
    """

    on: np.ndarray
    off: np.ndarray
    track: np.ndarray
    channel: np.ndarray
    program: np.ndarray
    onset: np.ndarray
    end: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray

    @classmethod
    def of(cls, file: MidiFile) -> WrittenNotes:
        """Those of a file in which every note has an end."""
        notes = pair_notes(file)
        message = file.message[notes.on].astype(np.int64)
        channel, program = channels_of(file)[notes.on], _said(file)[0][notes.on]
        return cls(
            notes.on, notes.off, file.track[notes.on], channel, program,
            file.tick[notes.on], notes.end, message[:, 1], message[:, 2],
        )  # fmt: skip

    def rows_of(self, notes: NoteArrays) -> np.ndarray:
        """Which of them are the notes of the file's score, of which equal ones stand in the order of tracks."""
        is_drum = self.channel % 16 == DRUM_CHANNEL
        mine = (self.channel, self.track, self.velocity, self.pitch, self.end, self.onset, self.program, is_drum)
        theirs = (notes.track, notes.velocity, notes.pitch, notes.end, notes.onset, notes.program, notes.is_drum)
        rows = np.empty(len(notes), np.int64)
        rows[np.lexsort(theirs)] = np.lexsort(mine)
        return rows

    def home(self, row: int) -> Home:
        """Where one of them is."""
        port, channel = divmod(int(self.channel[row]), 16)
        return Home(int(self.track[row]), port, channel)


def _by_track(notes: NoteArrays) -> NoteArrays:
    """Notes such that those of other tracks are other notes."""
    return replace(notes, program=notes.track)


def _check_is_of(score: ScoreTick, own: ScoreTick) -> None:
    found, expected = ([(track.program, track.is_drum) for track in each.tracks] for each in (score, own))
    if found[: len(expected)] != expected or score.tpq != own.tpq:
        raise ValueError(
            f"A score of {len(found)} tracks with {score.tpq} ticks a quarter is not of this file, from which "
            f"{len(expected)} are read with {own.tpq}: change notes of what read_midi() gives, and add tracks behind."
        )


def _homes(file: MidiFile, written: WrittenNotes, stays: np.ndarray, onset: np.ndarray, end: np.ndarray) -> Homes:
    """Homes in a file, with the notes that stay where new ones sound."""
    events = channels_of(file)[file.status < META & 0xF0]
    homes = Homes(len(file.ends), set(written.channel[stays].tolist()), set(events.tolist()))
    beside = stays & (written.onset <= end.max(initial=0)) & (written.end >= onset.min(initial=FAR))
    for row in np.flatnonzero(beside).tolist():
        homes.occupy(written.home(row), int(written.pitch[row]), int(written.onset[row]), int(written.end[row]))
    return homes


def _place(score: ScoreTick, notes: NoteArrays, new: np.ndarray, homes: Homes) -> np.ndarray:
    """Of shape `(new, 7)`: track and channel of each new note, onset, end, pitch, velocity and program."""
    tracks, placed = list(score.tracks), []
    columns = (notes.track, notes.onset, notes.end, notes.pitch, notes.velocity)
    for index, onset, end, pitch, velocity in zip(*(column[new].tolist() for column in columns), strict=True):
        if end <= onset:
            raise UnwritableScore(f"A new note at tick {onset} has no length: give it a tick or more.")
        track, _, channel = homes.find(index, tracks[index], pitch, onset, end)
        placed.append((track, channel, onset, end, pitch, velocity, tracks[index].program))
    return np.array(placed, np.int64).reshape(-1, 7)


def _without(file: MidiFile, *events: np.ndarray) -> MidiFile:
    keep = np.ones(len(file.track), bool)
    keep[np.concatenate(events)] = False
    return file.kept(keep)


def _with_track(file: MidiFile, track: NewTrack) -> MidiFile:
    messages, contents = [(META, NAME, 0)], [track.name.encode("utf-8")]
    if track.home.port:
        messages, contents = [*messages, (META, PORT, 0)], [*contents, bytes([track.home.port])]
    file = file.with_track(messages, contents)
    if track.program is None:
        return file
    message = np.array([(PROGRAM | track.home.channel, track.program, 0)])
    return file.inserted(np.array([len(file.track)]), np.array([track.home.track]), np.array([0]), message)


def _with_notes(file: MidiFile, placed: np.ndarray) -> MidiFile:
    """New notes end before all else at their tick, and begin after it, with their program."""
    track, channel, onset, end, pitch, velocity, program = placed.T
    begins = np.stack([NOTE_ON | channel, pitch, velocity], axis=1)
    ends = np.stack([NOTE_OFF | channel, pitch, np.full(len(placed), RELEASE)], axis=1)
    tracks, ticks, messages = np.tile(track, 2), np.append(end, onset), np.concatenate([ends, begins])
    is_begin = np.arange(len(ticks)) >= len(placed)
    order = np.lexsort((is_begin, ticks, tracks))
    span = int(max(file.tick.max(initial=0), ticks.max(initial=0))) + 1
    # After the last event before a half tick: ends stand before those of their tick, begins behind.
    at, own = 2 * (file.track * span + file.tick), 2 * (tracks * span + ticks) + np.where(is_begin, 1, -1)
    places = np.searchsorted(at, own[order])
    file = file.inserted(places, tracks[order], ticks[order], messages[order])
    where = np.empty(len(order), np.int64)
    where[order] = places + np.arange(len(order))
    return _with_programs(file, where[len(placed) :], where[: len(placed)], program)


def _with_programs(file: MidiFile, begins: np.ndarray, ends: np.ndarray, program: np.ndarray) -> MidiFile:
    """
    Says the program of notes before them, where another is in force, and that again behind them.

    Args:
        file ([`MidiFile`]): with the notes.
        begins (`np.ndarray` of shape `(notes,)`): the events that begin them.
        ends (`np.ndarray` of shape `(notes,)`): the events that end them.
        program (`np.ndarray` of shape `(notes,)`): theirs.
    """
    order = np.argsort(begins)
    begins, ends, program = begins[order], ends[order], program[order]
    (said, said_by), heard = (values[begins] for values in _said(file)), _heard(file)[begins]
    again = heard != program
    as_before = [np.diff(values, prepend=-2) == 0 for values in (_own_channels(file)[begins], said_by, program)]
    before = again | (said != program) & ~(np.logical_and.reduce(as_before) & ~np.roll(again, 1))
    about = np.append(np.where(_is_alone(file, begins, ends), ends, begins)[again], begins[before])
    places = np.append(about[: again.sum()] + 1, begins[before])
    values = np.append(heard[again], program[before])
    order = np.argsort(places, kind="stable")
    places, values, about = places[order], values[order], about[order]
    message = np.stack([file.message[about, 0] & 15 | PROGRAM, values, np.zeros(len(about))], axis=1)
    return file.inserted(places, file.track[about], file.tick[about], message)


def _is_alone(file: MidiFile, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Whether no other note begins on a note's channel until it has ended, and nothing sets a program there."""
    channel = channels_of(file)
    events = np.flatnonzero(begins_notes(file) | (file.status == PROGRAM))
    events = events[np.lexsort((events, file.tick[events], channel[events]))]
    place = np.empty(len(file.track), np.int64)
    place[events] = np.arange(len(events))
    following = np.append(events, -1)[place[begins] + 1]
    return (following < 0) | (channel[following] != channel[begins]) | (file.tick[following] > file.tick[ends])


def _own_channels(file: MidiFile) -> np.ndarray:
    """Channels of events, those of each track other ones."""
    return file.track * 16 + (file.message[:, 0] & 15)


def _said(file: MidiFile) -> tuple[np.ndarray, np.ndarray]:
    """For each event, the program that its track has said last of its channel, and the event that did."""
    own = _own_channels(file)
    return in_force(own, np.arange(len(own)), file.status == PROGRAM, file.message[:, 1])


def _heard(file: MidiFile) -> np.ndarray:
    """For each event, the program that any track has said last of its channel."""
    order = np.argsort(file.tick, kind="stable")
    return in_force(channels_of(file), order, file.status == PROGRAM, file.message[:, 1])[0]
