"""Tracks of a MIDI file as bytes: tempos and meters, texts, and notes on channels that are shared."""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from symusic.core import ScoreTick

from .channel_state import BANK_CONTROLS, CONTROL, Change, hand_over, what_counts
from .channels import Channel
from .track_reader import number_bytes
from .writable import LAST_TICK

NOTE_OFF, NOTE_ON, PROGRAM = 0x80, 0x90, 0xC0
NAME, LYRIC, MARKER, PORT, END, TEMPO, METER, KEY = 0x03, 0x05, 0x06, 0x21, 0x2F, 0x51, 0x58, 0x59
CLOCKS_A_CLICK, THIRTY_SECONDS_A_QUARTER = 24, 8

Placed = tuple[int, int, int, bytes]
"""A message after what it is sorted by: tick, owner of the channel, place among those of one tick."""


def file_header(chunks: int, ticks_per_quarter: int) -> bytes:
    """How a file of type 1 begins, whose tracks sound together."""
    return struct.pack(">4sIHHH", b"MThd", 6, 1, chunks, ticks_per_quarter)


def channel_chunks(channels: list[Channel]) -> list[bytes]:
    """One track for each channel. Where several have one number, each note has its program before it."""
    ports = len({channel.port for channel in channels}) > 1
    numbers = [channel.number for channel in channels]
    return [_channel_chunk(channel, ports, numbers.count(channel.number) > 1) for channel in channels]


def head_chunk(score: ScoreTick) -> bytes:
    """The track of meters, keys, tempos and markers."""
    events = [(meter.time, meta_message(METER, _meter(meter))) for meter in score.time_signatures]
    events += [(key.time, meta_message(KEY, bytes([key.key % 256, key.tonality]))) for key in score.key_signatures]
    events += [(tempo.time, meta_message(TEMPO, tempo.mspq.to_bytes(3, "big"))) for tempo in score.tempos]
    events += [(marker.time, _text(MARKER, marker.text)) for marker in score.markers]
    return track_chunk(sorted(events, key=lambda event: event[0]))


def text_chunk(name: str, lyrics) -> bytes:
    """A track of a name and lyrics alone."""
    words = sorted(((lyric.time, _text(LYRIC, lyric.text)) for lyric in lyrics), key=lambda event: event[0])
    return track_chunk([(0, _text(NAME, name)), *words])


def _channel_chunk(channel: Channel, ports: bool, repeat_program: bool) -> bytes:
    name = ", ".join(dict.fromkeys(part.name for _, part in channel.tenants if part.name))
    head = [(0, meta_message(PORT, bytes([channel.port])))] if ports else []
    head += [(0, _text(NAME, name))] if name else []
    # At one tick: the notes that end, what the next owner of the channel sets, the notes that begin.
    events = sorted([*_owners(channel), *_notes(channel, repeat_program)], key=lambda event: event[:3])
    return track_chunk([*head, *((tick, message) for tick, _, _, message in events)])


def _owners(channel: Channel) -> Iterator[Placed]:
    """What each owner of a channel sets, in place 1."""
    sent: list[Change] = []
    ends = [start for start, _ in channel.tenants[1:]] + [LAST_TICK]
    for owner, ((start, part), end) in enumerate(zip(channel.tenants, ends, strict=True)):
        first, last = bisect_left(part.changes, (start,)), bisect_left(part.changes, (end + 1,))
        own = [(status, number, value) for _, status, number, value in part.changes[first:last]]
        set_anew = hand_over(sent, [(status, number, value) for _, status, number, value in part.changes[:first]])
        for change in set_anew:
            yield start, owner, 1, _message(channel, *change)
        yield start, owner, 1, _message(channel, PROGRAM, part.program)
        for tick, status, number, value in part.changes[first:last]:
            yield tick, owner, 1, _message(channel, status, number, value)
            if status == CONTROL and number in BANK_CONTROLS:  # counts from the next change of program
                yield tick, owner, 1, _message(channel, PROGRAM, part.program)
        sent = what_counts([*sent, *set_anew, *own])


def _notes(channel: Channel, repeat_program: bool) -> Iterator[Placed]:
    """Ends of notes in place 0, their beginnings in 2; one of no length ends after it begins."""
    for owner, onset, end, pitch, velocity in channel.notes:
        program = channel.tenants[owner][1].program
        start = _message(channel, PROGRAM, program) + number_bytes(0) if repeat_program else b""
        yield onset, owner, 2, start + _message(channel, NOTE_ON, pitch, velocity)
        yield end, owner, 0 if end > onset else 2, _message(channel, NOTE_OFF, pitch, velocity)


def _meter(meter) -> bytes:
    power = meter.denominator.bit_length() - 1
    return bytes([meter.numerator, power, CLOCKS_A_CLICK, THIRTY_SECONDS_A_QUARTER])


def _message(channel: Channel, status: int, *data: int) -> bytes:
    return bytes([status | channel.number, *data])


def _text(kind: int, text: str) -> bytes:
    return meta_message(kind, text.encode("utf-8"))


def meta_message(kind: int, data: bytes) -> bytes:
    """A message that is for readers of the file, not for instruments."""
    return bytes([0xFF, kind]) + number_bytes(len(data)) + data


def track_chunk(events: Iterable[tuple[int, bytes]], rest: int = 0) -> bytes:
    """An `MTrk` chunk of events in order of time, with a rest of so many ticks behind the last."""
    content, now = bytearray(), 0
    for tick, message in events:
        content += number_bytes(tick - now) + message
        now = tick
    content += number_bytes(rest) + meta_message(END, b"")
    return b"MTrk" + len(content).to_bytes(4, "big") + content
