"""A MIDI file with the notes of a score in it, and all else as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from symusic.core import ScoreTick

from .chunks import read_events
from .excerpts import are_among
from .file_notes import FileNotes
from .homes import Homes, NewTrack
from .inserting import with_notes
from .mending import PROGRAM
from .mends import Mends
from .midi_file import MidiFile
from .note_arrays import NoteArrays, gather_notes
from .notes import PORT, channels_of
from .reading import read_midi
from .score_arrays import FAR
from .track_chunks import NAME
from .track_reader import META, SYSEX
from .writable import UnwritableScore, check_writable


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
        `bytes`: a standard MIDI file from which [`read_midi`] reads the notes of `score`, those beyond its limits cut.
        Where these are the notes of the file, it is that, with whatever had to be mended.

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
    written = FileNotes.of(file)
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
    return with_notes(file, placed).to_bytes()


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


def _homes(file: MidiFile, written: FileNotes, stays: np.ndarray, onset: np.ndarray, end: np.ndarray) -> Homes:
    """Homes in a file, with the notes that stay where new ones sound."""
    events = channels_of(file)[file.message[:, 0] < SYSEX]
    homes = Homes(len(file.ends), set(written.channel[stays].tolist()), set(events.tolist()))
    beside = stays & (written.onset <= end.max(initial=0)) & (written.end >= onset.min(initial=FAR))
    for row in np.flatnonzero(beside).tolist():
        homes.occupy(written.home(row), int(written.pitch[row]), int(written.onset[row]), int(written.end[row]))
    return homes


def _place(score: ScoreTick, notes: NoteArrays, new: np.ndarray, homes: Homes) -> np.ndarray:
    """What [`with_notes`] asks for of each new note."""
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
