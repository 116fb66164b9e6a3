"""The chunks of a standard MIDI file, wherever they lie."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from .mends import Mends
from .midi_file import MidiFile
from .refusals import RefusedFile
from .track_reader import SYSEX, EndsWithin, TrackReader

HEADER_BYTES = 14
END_OF_TRACK_BYTES = 4
SET_TEMPO = 0x51
MOST_TRACKS = 2**16 - 1
FRAMES = 0x8000
"""The bit of a time division in frames, in which tempos mean nothing."""
LAST_TICK = 2**30
"""Far from the last one that readers of 32 bits can hold."""
SMPTE_RATES = {24: 24, 25: 25, 29: 30, 30: 30}
"""Frames that a second is counted in, by the rate that a file names."""


class _Header(NamedTuple):
    format: int
    tracks: int
    division: int
    end: int


def end_of_tracks(data: bytes) -> int:
    """The tick at which the last track of a file ends, which may be long after its last event."""
    return int(read_events(data, Mends()).ends.max(initial=0))


def read_events(data: bytes, mends: Mends) -> MidiFile:
    """
    Reads all events of a file that begins with its header.

    Args:
        data (`bytes`): the file.
        mends ([`Mends`]): counts what is not as it should be.

    Raises:
        [`RefusedFile`]: `unreadable` if it is damaged or cut off, `bad_time_division`, `independent_sequences` if it
            holds several that do not belong together, `too_long` if its ticks are beyond number.
    """
    header = _read_header(data, mends)
    position, readers = header.end, list[TrackReader]()
    while len(readers) < header.tracks and (start := _next_track(data, position, mends)) is not None:
        reader, position = _read_track(data, start, len(readers) + 1, mends)
        readers.append(reader)
    readers += _tracks_beyond(data, position, len(readers), mends)
    if not readers:
        raise RefusedFile("unreadable", f"no track follows the header in {len(data)} bytes")
    if len(readers) != header.tracks:
        mends.oddity("track_count", f"the header counts {header.tracks} tracks, there are {len(readers)}")
    if header.format == 2:
        readers = _one_sequence(readers, mends)
    elif header.format > 2:
        mends.damage("file_format", "unreadable", f"the format is {header.format}; it is read as 1")
    return _join(readers, header, mends)


def _read_header(data: bytes, mends: Mends) -> _Header:
    if len(data) < HEADER_BYTES:
        raise RefusedFile("unreadable", f"{len(data)} bytes, and a header alone has {HEADER_BYTES}")
    length = int.from_bytes(data[4:8], "big")
    end = HEADER_BYTES
    if length != 6:
        mends.damage("header_length", "unreadable", f"the header says that it has {length} bytes, not 6")
        end = 8 + length if data.startswith(b"MTrk", 8 + length) else HEADER_BYTES
    form, tracks, division = struct.unpack(">HHH", data[8:HEADER_BYTES])
    return _Header(form, tracks, division, end)


def _next_track(data: bytes, position: int, mends: Mends) -> int | None:
    """Where the next track chunk begins, or none."""
    while position < len(data):
        if data.startswith(b"MTrk", position) and position + 8 <= len(data):
            return position
        end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
        found = data.find(b"MTrk", position + 1)
        if data[position : position + 4].isalnum() and end <= len(data):
            mends.oddity("other_chunk", f"byte {position}: a chunk {data[position : position + 4]!r} is left out")
            position = end
        elif found >= 0:
            mends.damage(
                "junk_between_tracks", "unreadable", f"byte {position}: {found - position} bytes that are no track"
            )
            position = found
        else:
            return None
    return None


def _tracks_beyond(data: bytes, position: int, number: int, mends: Mends) -> list[TrackReader]:
    """Tracks without damage right after those that the header counts; what else follows is junk."""
    readers, plain = list[TrackReader](), Mends(allowed=False)
    try:
        while data.startswith(b"MTrk", position) and number + len(readers) < MOST_TRACKS:
            reader, position = _read_track(data, position, number + len(readers) + 1, plain)
            readers.append(reader)
    except RefusedFile:
        pass
    if position < len(data):
        mends.oddity("junk_after_tracks", f"{len(data) - position} bytes after the last track")
    return readers


def _read_track(data: bytes, start: int, number: int, mends: Mends) -> tuple[TrackReader, int]:
    """The track, and where the next chunk begins."""
    clamped = mends.count("data_byte")
    length = int.from_bytes(data[start + 4 : start + 8], "big")
    stop = start + 8 + length
    reader = _read_to_end(data, start + 8, stop, number, mends)
    follows = _follows(data, stop)
    if not reader.ended and reader.position <= stop:
        mends.oddity("no_end_of_track", f"track {number} has no event that ends it")
        return reader, min(stop, len(data))
    if reader.position == stop:
        return reader, stop
    if reader.position < stop and (follows or data.find(b"MTrk", reader.position, stop + 3) < 0 and stop <= len(data)):
        mends.oddity("bytes_after_end", f"{stop - reader.position} bytes after the end of track {number}")
        return reader, stop
    wrong = f"track {number} says that it has {length} bytes, and has {reader.position - start - 8}"
    if mends.count("data_byte") > clamped:
        raise RefusedFile("unreadable", f"{wrong}, of which some are no data: bytes were lost or added")
    mends.damage("chunk_length", "unreadable", wrong)
    return reader, reader.position


def _read_to_end(data: bytes, begin: int, stop: int, number: int, mends: Mends) -> TrackReader:
    """Reads a track that should end at `stop`, and goes on to its end where it does not end there."""
    reader, whole = TrackReader(data, begin, mends), False
    try:
        reader.read(min(stop, len(data)))
        if reader.ended or _follows(data, stop) or len(data) < stop <= len(data) + END_OF_TRACK_BYTES:
            return reader
        whole = stop < len(data)
        reader.read(len(data))
    except EndsWithin:
        _go_on(reader, data)
    except RefusedFile:
        if not whole:
            raise
    if not reader.ended and whole:  # junk follows a track that nothing ends
        reader = TrackReader(data, begin, Mends())
        reader.read(stop)
    elif not reader.ended:
        raise RefusedFile(
            "unreadable",
            f"track {number}, which says that it has {stop - begin} bytes, ends nowhere in the {len(data) - begin} "
            "that are there",
        )
    return reader


def _go_on(reader: TrackReader, data: bytes) -> None:
    try:
        reader.read(len(data))
    except EndsWithin:
        pass


def _follows(data: bytes, position: int) -> bool:
    """Whether a track or nothing follows."""
    return position == len(data) or data.startswith(b"MTrk", position)


def _one_sequence(readers: list[TrackReader], mends: Mends) -> list[TrackReader]:
    """The tracks of format 2 are pieces of their own."""
    sounding = [reader for reader in readers if (reader.arrays()[1][:, 0] & 0xF0 == 0x90).any()]
    if len(sounding) > 1:
        raise RefusedFile(
            "independent_sequences",
            f"format 2 holds {len(sounding)} pieces that do not sound together: save each in a file of its own",
        )
    mends.oddity("one_sequence", f"format 2 with {len(readers)} tracks, of which {len(sounding)} has notes")
    return sounding or readers[:1]


def _join(readers: list[TrackReader], header: _Header, mends: Mends) -> MidiFile:
    ticks, messages, ends = zip(*(reader.arrays() for reader in readers), strict=True)
    tick, message = np.concatenate(ticks), np.concatenate(messages)
    has_body = message[:, 0] >= SYSEX
    if tick.max(initial=0) > LAST_TICK:
        raise RefusedFile("too_long", f"{tick.max()} ticks, limit {LAST_TICK}")
    tpq, scale = _ticks_per_quarter(header.division, mends)
    file = MidiFile(
        tpq,
        min(header.format, 1) if header.format != 2 else 0,
        np.minimum(ends, LAST_TICK) * scale,
        np.repeat(np.arange(len(readers)), list(map(len, ticks))),
        tick * scale,
        message,
        np.where(has_body, np.cumsum(has_body) - 1, -1),
        [body for reader in readers for body in reader.bodies],
    )
    return file.kept(file.meta != SET_TEMPO) if header.division & FRAMES else file


def _ticks_per_quarter(division: int, mends: Mends) -> tuple[int, int]:
    """... and how many of those are a tick of the file."""
    if not division & FRAMES:
        if division == 0:
            raise RefusedFile("bad_time_division", "0 ticks per quarter note")
        return division, 1
    rate, ticks = SMPTE_RATES.get(256 - (division >> 8), 0), division & 255
    if rate * ticks == 0:
        raise RefusedFile("bad_time_division", f"{256 - (division >> 8)} frames a second, {ticks} ticks a frame")
    mends.damage(
        "frames",
        "bad_time_division",
        f"{rate} frames a second, {ticks} ticks a frame: a quarter note lasts half a second",
    )
    return rate * ticks, 2
