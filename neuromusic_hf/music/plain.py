"""Whether a file is plain, as nearly all are: told by patterns over its bytes, without a look at each event."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import NamedTuple

from .limits import SanityLimits
from .meta_events import fault_of, is_whole_sysex
from .track_reader import END_OF_TRACK, number_bytes
from .track_reader import SYSEX as SYSTEM_EXCLUSIVE

HEADER = re.compile(rb"MThd\x00\x00\x00\x06\x00[\x00\x01](?P<tracks>[\x00-\xff]{2})(?!\x00\x00)[\x00-\x7f]", re.DOTALL)
HEADER_BYTES, CHUNK_BYTES = 14, 8
AND_STAY = b"+" if sys.version_info >= (3, 11) else b""
"""After a repetition: what it took it keeps, which is faster and needs no memory."""
NUMBER = rb"[\x80-\xff]{0,2}" + AND_STAY + rb"[\x00-\x7f]"
META = re.compile(NUMBER + rb"\xff([\x00-\x7f])(" + NUMBER + rb")")
SYSEX = re.compile(NUMBER + rb"(\xf0)(" + NUMBER + rb")")
STATUS = re.compile(NUMBER + rb"([\x80-\xef])")
ALL = 16
"""In place of a channel."""
RUN_BYTES, LONGEST_EVENT = 1 << 16, 6
"""Matched at a time, since a pattern keeps each repetition in memory until it ends; and what may be left of it."""
LONG_AGO = 2**28 - 1
"""Ticks after the last event, at which all keys are released."""


class PlainTrack(NamedTuple):
    """
    A track chunk without a fault.

    Args:
        begin (`int`): of its first event.
        end (`int`): of the event that ends it.
        channels (`frozenset[int]`): in which it may have notes or programs.
    """

    begin: int
    end: int
    channels: frozenset[int]


def plain_tracks(data: bytes, limits: SanityLimits) -> list[PlainTrack] | None:
    """
    The tracks of a file that every reader understands alike.

    Returns:
        `list` of [`PlainTrack`]; `None` where a reader may not, or where tracks share a channel.
    """
    header = HEADER.match(data)
    if not header:
        return None
    tracks, taken, position = list[PlainTrack](), set[int](), HEADER_BYTES
    for _ in range(int.from_bytes(header["tracks"], "big")):
        begin = position + CHUNK_BYTES
        position = begin + int.from_bytes(data[position + 4 : begin], "big")
        if not data.startswith(b"MTrk", begin - CHUNK_BYTES) or position > len(data):
            return None
        track = _plain_track(data, begin, position, limits)
        if track is None or track.channels & taken:
            return None
        tracks.append(track)
        taken |= track.channels
    return tracks if position == len(data) else None


def with_keys_released(data: bytes, tracks: list[PlainTrack]) -> bytes:
    """
    The file with all keys released long after its end.

    A reader that drops notes which are never switched off then keeps them, and they show by their length.
    """
    parts = [data[:HEADER_BYTES]]
    for track in tracks:
        content = data[track.begin : track.end] + _releases(track.channels) + b"\x00\xff\x2f\x00"
        parts += [b"MTrk", len(content).to_bytes(4, "big"), content]
    return b"".join(parts)


def _plain_track(data: bytes, begin: int, stop: int, limits: SanityLimits) -> PlainTrack | None:
    """Walks over runs of channel events, and looks at each event between them."""
    position, channel, run = begin, None, None
    while position < stop:
        if run and (after := _after_run(run, data, position, stop)) > position:
            position = after
        elif event := META.match(data, position, stop) or SYSEX.match(data, position, stop):
            kind, body = event[1][0], event.end()
            end = body + _number(event[2])
            if kind == END_OF_TRACK:
                is_last = body == end == stop
                return PlainTrack(begin, position, _channels(data[begin:stop], channel)) if is_last else None
            if end > stop or not _is_plain(kind, data[body:end], limits):
                return None
            position = end
        elif channel != ALL and (status := STATUS.match(data, position, stop)):
            channel = status[1][0] & 15 if channel is None else ALL
            run = _run_of(channel)
        else:
            return None
    return None


def _after_run(run: re.Pattern, data: bytes, position: int, stop: int) -> int:
    """Where a run of channel events ends."""
    while True:
        limit = position + RUN_BYTES
        found = run.match(data, position, min(stop, limit))
        if found is None:  # which cannot be: it matches no event, too
            return position
        if limit >= stop or found.end() < limit - LONGEST_EVENT or found.start(1) <= position:
            return found.end()
        position = found.start(1)  # the last event that says its status, from which the pattern can go on


def _is_plain(kind: int, content: bytes, limits: SanityLimits) -> bool:
    return is_whole_sysex(content) if kind == SYSTEM_EXCLUSIVE else fault_of(kind, content, limits) is None


def _number(code: bytes) -> int:
    value = 0
    for byte in code:
        value = value << 7 | byte & 127
    return value


@lru_cache(maxsize=17)
def _run_of(channel: int) -> re.Pattern:
    """Events of a channel, or of all: with their status, and others of that status after them."""
    kinds = range(0x80, 0xF0, 16)
    channels = range(16) if channel == ALL else (channel,)
    one, two = (
        b"".join(
            b"\\x%02x" % (kind | number) for kind in kinds for number in channels if (kind & 0xE0 == 0xC0) is short
        )
        for short in (True, False)
    )
    forms = ((two, rb"[\x00-\x7f]{2}"), (one, rb"[\x00-\x7f]"))
    runs = (b"[%b]%b(?:%b%b)*%b" % (statuses, data, NUMBER, data, AND_STAY) for statuses, data in forms)
    return re.compile(b"(%b(?:%b))*%b" % (NUMBER, b"|".join(runs), AND_STAY))


def _channels(track: bytes, channel: int | None) -> frozenset[int]:
    """Channels of a track's notes and programs; where there are several, perhaps more."""
    if channel != ALL:
        return frozenset(() if channel is None else (channel,))
    statuses = {number: (0x80 | number, 0x90 | number, 0xC0 | number) for number in range(16)}
    return frozenset(number for number, kinds in statuses.items() if any(bytes((kind,)) in track for kind in kinds))


@lru_cache(maxsize=64)
def _releases(channels: frozenset[int]) -> bytes:
    if not channels:
        return b""
    keys = b"".join(b"\x00%c\x00" % key for key in range(128))
    return number_bytes(LONG_AGO) + b"\x00".join(b"%c" % (0x80 | channel) + keys[1:] for channel in sorted(channels))
