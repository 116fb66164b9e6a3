"""The events of a standard MIDI file as arrays, and as a file again."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np

from .track_reader import ESCAPE, META, SYSEX

END = b"\xff\x2f\x00"


@dataclass(frozen=True)
class MidiFile:
    """
    Events of all tracks, one track after the other; within a track in the order of time.

    Args:
        tpq (`int`): ticks per quarter note.
        format (`int`): 0 or 1.
        ends (`np.ndarray` of shape `(tracks,)`): ticks at which the tracks end.
        track (`np.ndarray` of shape `(events,)`): number of the track.
        tick (`np.ndarray` of shape `(events,)`): from the start of the piece.
        message (`np.ndarray` of shape `(events, 3)`): status and two data bytes; of a meta event, 255 and its type.
        body (`np.ndarray` of shape `(events,)`): index into `bodies`, or -1.
        bodies (`list[bytes]`): content of system exclusive and meta events.
    """

    tpq: int
    format: int
    ends: np.ndarray
    track: np.ndarray
    tick: np.ndarray
    message: np.ndarray
    body: np.ndarray
    bodies: list[bytes]

    @property
    def status(self) -> np.ndarray:
        """Status of the events, without the channel; 0xF0 for those that have none."""
        return self.message[:, 0] & 0xF0

    @property
    def meta(self) -> np.ndarray:
        """Type of the meta events; -1 for other events."""
        return np.where(self.message[:, 0] == META, self.message[:, 1].astype(np.int64), -1)

    def content(self, event: int) -> bytes:
        """Of a system exclusive or meta event."""
        return self.bodies[self.body[event]]

    def kept(self, keep: np.ndarray) -> MidiFile:
        """Those events for which `keep` is true."""
        return replace(
            self, track=self.track[keep], tick=self.tick[keep], message=self.message[keep], body=self.body[keep]
        )

    def inserted(self, places: np.ndarray, track: np.ndarray, tick: np.ndarray, message: np.ndarray) -> MidiFile:
        """With new channel events before the events `places`."""
        return replace(
            self,
            track=np.insert(self.track, places, track),
            tick=np.insert(self.tick, places, tick),
            message=np.insert(self.message, places, message, axis=0),
            body=np.insert(self.body, places, -1),
        )

    def moved(self, events: np.ndarray, track: np.ndarray, tick: np.ndarray) -> MidiFile:
        """With events in another track or at another tick, where they come before the others of that tick."""
        tracks, ticks, late = self.track.copy(), self.tick.copy(), np.ones(len(self.tick), np.int8)
        tracks[events], ticks[events], late[events] = track, tick, 0
        order = np.lexsort((late, ticks, tracks))
        return replace(self, track=tracks, tick=ticks).kept(order)

    def to_bytes(self) -> bytes:
        """The file, with each event's status said."""
        borders = np.searchsorted(self.track, np.arange(len(self.ends) + 1))
        chunks = [struct.pack(">4sIHHH", b"MThd", 6, self.format, len(self.ends), self.tpq)]
        for number, end in enumerate(self.ends.tolist()):
            content = self._track_bytes(int(borders[number]), int(borders[number + 1]), end)
            chunks += [b"MTrk", len(content).to_bytes(4, "big"), content]
        return b"".join(chunks)

    def _track_bytes(self, start: int, stop: int, end: int) -> bytes:
        ticks = self.tick[start:stop].tolist()
        codes = _Codes()
        deltas = np.diff(ticks, prepend=0).tolist()
        last = max(end, ticks[-1]) - ticks[-1] if ticks else end
        parts = [None] * (2 * len(ticks))
        parts[::2] = map(codes.__getitem__, deltas)
        parts[1::2] = map(self._event_bytes, range(start, stop))
        return b"".join([*parts, codes[last], END])

    def _event_bytes(self, event: int) -> bytes:
        status, first, second = self.message[event].tolist()
        if status in (SYSEX, ESCAPE, META):
            content = self.content(event)
            return bytes((status, first) if status == META else (status,)) + number_bytes(len(content)) + content
        return bytes((status, first)) if status & 0xE0 == 0xC0 else bytes((status, first, second))


class _Codes(dict):
    """Numbers of variable length, by their values."""

    def __missing__(self, value: int) -> bytes:
        self[value] = code = number_bytes(value)
        return code


def number_bytes(value: int) -> bytes:
    """A number of variable length."""
    code = [value & 127]
    while value := value >> 7:
        code.append(value & 127 | 128)
    return bytes(reversed(code))
