"""What a synthesizer hears in a MIDI file: a simulation, event by event over the merged tracks that mido reads."""

import io

import mido

DRUMS = 9


def heard_notes(data):
    """Sorted `(onset, duration, pitch, velocity, program, drum)`.

    A note-off ends the oldest note of its key that its own track began, else the oldest of any. A note that none ends
    lasts until its key is struck again, else to the end of its track; a quarter note, where that ends at once.
    Notes of no length are dropped, and drum hits of no length last a tick.
    """
    file = mido.MidiFile(file=io.BytesIO(data), clip=True)
    events, ends = [], []
    for track, messages in enumerate(file.tracks):
        tick = 0
        for number, message in enumerate(messages):
            tick += message.time
            events.append((tick, track, number, message))
        ends.append(tick)
    program, sounding, notes = {}, {}, []
    for tick, track, _, message in sorted(events, key=lambda event: event[:3]):
        if message.type == "program_change":
            program[message.channel] = message.program
        elif message.type == "note_on" and message.velocity:
            note = [
                tick,
                None,
                message.note,
                message.velocity,
                program.get(message.channel, 0),
                message.channel,
                track,
            ]
            notes.append(note)
            sounding.setdefault((message.channel, message.note), []).append(note)
        elif message.type in ("note_on", "note_off"):
            waiting = sounding.get((message.channel, message.note), [])
            own = [note for note in waiting if note[6] == track] or waiting
            if own:
                own[0][1] = tick
                waiting.remove(own[0])
    for waiting in sounding.values():
        for index, note in enumerate(waiting):
            later = [other[0] for other in waiting[index + 1 :] if other[6] == note[6]]
            end = ends[note[6]]
            note[1] = later[0] if later else end if end > note[0] else note[0] + file.ticks_per_beat
    return sorted(filter(None, map(_note, notes)))


def _note(note):
    onset, end, pitch, velocity, program, channel, _ = note
    drum = channel == DRUMS
    duration = max(end - onset, 1) if drum else end - onset
    return (onset, duration, pitch, velocity, program, drum) if duration else None


def read_notes(score):
    """The same of a score."""
    return sorted(
        (note.time, note.duration, note.pitch, note.velocity, track.program, track.is_drum)
        for track in score.tracks
        for note in track.notes
    )
