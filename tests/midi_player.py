"""MIDI files as a player hears them: all tracks at once, with a program and controllers for each channel."""

import io
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import mido


@dataclass
class Performance:
    """
    Args:
        notes (`Counter` of `(onset, duration, pitch, velocity, program, is_drum)`): in ticks.
        controls (`dict`): of each note, the controllers and the bend of its channel as it begins.
        unsure (`int`): note-offs of a pitch that sounded more than once on its channel.
        disturbed (`int`): changes of program on a melodic channel with notes that sound or that its pedal holds.
        channels (`set` of `(port, channel)`): with notes.
    """

    notes: Counter = field(default_factory=Counter)
    controls: dict = field(default_factory=dict)
    unsure: int = 0
    disturbed: int = 0
    channels: set = field(default_factory=set)


def play(data: bytes, *, knows_ports: bool = True) -> Performance:
    """Plays a file; a note-off ends the note of its pitch that began first."""
    performance = Performance()
    programs, controls, sounding = defaultdict(int), defaultdict(dict), defaultdict(list)
    heard = defaultdict(Counter)
    for tick, port, message in messages_of(data):
        if message.type not in ("note_on", "note_off", "program_change", "control_change", "pitchwheel"):
            continue
        channel = (port if knows_ports else 0, message.channel)
        if message.type == "program_change":
            changed = message.program != programs[channel] and message.channel != 9
            performance.disturbed += changed and heard[channel].total() > 0
            programs[channel] = message.program
        elif message.type == "control_change":
            controls[channel][message.control] = message.value
            if message.control == 64 and message.value < 64:
                heard[channel] = Counter(
                    note for (at, note), all_of in sounding.items() if at == channel for _ in all_of
                )
        elif message.type == "pitchwheel":
            controls[channel]["bend"] = message.pitch
        elif message.type == "note_on" and message.velocity:
            note = (tick, message.note, message.velocity, programs[channel])
            sounding[channel, message.note].append(note)
            performance.controls[note] = dict(controls[channel])
            performance.channels.add(channel)
            heard[channel][message.note] += 1
        else:
            started = sounding[channel, message.note]
            heard[channel][message.note] -= controls[channel].get(64, 0) < 64
            performance.unsure += len(started) > 1
            onset, pitch, velocity, program = started.pop(0)
            performance.notes[onset, tick - onset, pitch, velocity, program, channel[1] == 9] += 1
    assert not any(sounding.values()), "a note has no end"
    return performance


def messages_of(data: bytes):
    """`(tick, port, message)` of all tracks, in order of time, then of tracks."""
    messages = []
    for track in mido.MidiFile(file=io.BytesIO(data), charset="utf-8").tracks:
        tick = port = 0
        for message in track:
            tick += message.time
            port = message.port if message.type == "midi_port" else port
            messages.append((tick, port, message))
    return sorted(messages, key=lambda message: message[0])


def notes_of(score) -> Counter:
    """The notes of a score in ticks, as `Performance.notes`."""
    return Counter(
        (note.time, note.duration, note.pitch, note.velocity, track.program, track.is_drum)
        for track in score.tracks
        for note in track.notes
    )
