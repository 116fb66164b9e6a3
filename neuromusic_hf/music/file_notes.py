"""The notes of a MIDI file, and the events that begin and end them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .channels import DRUM_CHANNEL
from .homes import Home
from .mending import PROGRAM, in_force
from .midi_file import MidiFile
from .note_arrays import NoteArrays
from .notes import channels_of, pair_notes


@dataclass(frozen=True, eq=False)
class FileNotes:
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
    def of(cls, file: MidiFile) -> FileNotes:
        """Those of a file in which every note has an end."""
        notes = pair_notes(file)
        message = file.message[notes.on].astype(np.int64)
        channel, program = channels_of(file)[notes.on], said_programs(file)[0][notes.on]
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


def own_channels(file: MidiFile) -> np.ndarray:
    """Channels of events, those of each track other ones."""
    return file.track * 16 + (file.message[:, 0] & 15)


def said_programs(file: MidiFile) -> tuple[np.ndarray, np.ndarray]:
    """For each event, the program that its track has said last of its channel, and the event that did."""
    own = own_channels(file)
    return in_force(own, np.arange(len(own)), file.status == PROGRAM, file.message[:, 1])
