"""New notes among the events of a MIDI file, each with its program."""

from __future__ import annotations

import numpy as np

from .file_notes import own_channels, said_programs
from .mending import PROGRAM, in_force
from .midi_file import MidiFile
from .notes import NOTE_OFF, NOTE_ON, begins_notes, channels_of

RELEASE = 64
"""Velocity with which a key is let go, where nothing is known of it."""


def with_notes(file: MidiFile, placed: np.ndarray) -> MidiFile:
    """
    A file with new notes, which end before all else at their tick, and begin behind it.

    Args:
        file ([`MidiFile`]): in whose tracks their pitches do not sound meanwhile.
        placed (`np.ndarray` of shape `(notes, 7)`): track, channel, onset, end, pitch, velocity and program of each.
    """
    track, channel, onset, end, pitch, velocity, program = placed.T
    begins = np.stack([NOTE_ON | channel, pitch, velocity], axis=1)
    ends = np.stack([NOTE_OFF | channel, pitch, np.full(len(placed), RELEASE)], axis=1)
    tracks, ticks, messages = np.tile(track, 2), np.append(end, onset), np.concatenate([ends, begins])
    is_begin = np.arange(len(ticks)) >= len(placed)
    order = np.lexsort((is_begin, ticks, tracks))
    span = int(max(file.tick.max(initial=0), ticks.max(initial=0))) + 1
    # Half a tick earlier or later: before or behind the events of their tick.
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
    (said, said_by), heard = (values[begins] for values in said_programs(file)), _heard(file)[begins]
    again = heard != program
    as_before = [np.diff(values, prepend=-2) == 0 for values in (own_channels(file)[begins], said_by, program)]
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


def _heard(file: MidiFile) -> np.ndarray:
    """For each event, the program that any track has said last of its channel."""
    order = np.argsort(file.tick, kind="stable")
    return in_force(channels_of(file), order, file.status == PROGRAM, file.message[:, 1])[0]
