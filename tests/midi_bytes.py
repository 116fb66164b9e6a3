"""MIDI files written event by event."""

import struct


def number(value):
    code = [value & 127]
    while value := value >> 7:
        code.append(value & 127 | 128)
    return bytes(reversed(code))


def track_chunk(events, end=0):
    """A track of `(tick, message)`, in order, with an end-of-track event `end` ticks after the last."""
    content, now = b"", 0
    for tick, message in events:
        content += number(tick - now) + message
        now = tick
    return chunk(content + number(end) + b"\xff\x2f\x00")


def chunk(content):
    return b"MTrk" + struct.pack(">I", len(content)) + content


def midi_file(*tracks, kind=1, division=96):
    header = b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), division)
    return header + b"".join(track if isinstance(track, bytes) else track_chunk(track) for track in tracks)


def meta(kind, content=b""):
    return b"\xff" + bytes((kind,)) + number(len(content)) + content


def on(pitch, channel=0, velocity=64):
    return bytes((0x90 | channel, pitch, velocity))


def off(pitch, channel=0):
    return bytes((0x80 | channel, pitch, 64))


def program(value, channel=0):
    return bytes((0xC0 | channel, value))


def melody(start=0, channel=0, count=8, length=48):
    """Quarter notes of a rising scale, as events."""
    events = []
    for index in range(count):
        onset = start + 96 * index
        events += [(onset, on(60 + index, channel)), (onset + length, off(60 + index, channel))]
    return events
