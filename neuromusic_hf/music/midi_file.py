"""The events of a standard MIDI file as arrays, and as a file again."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .refusals import RefusedFile
from .track_reader import ESCAPE, LARGEST, META, SYSEX, number_bytes

END = b"\xff\x2f\x00"
SHIFTS = np.array([21, 14, 7, 0])
CONTINUES = np.array([128, 128, 128, 0])
"""Of the four bytes of a number: how far its bits are shifted, and the bit that says that more follow."""


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

    def with_track(self, messages: Sequence[tuple[int, int, int]], contents: Sequence[bytes]) -> MidiFile:
        """With one more track, of meta events at tick 0; of format 1, as there are several then."""
        added = len(messages)
        bodies = np.arange(len(self.bodies), len(self.bodies) + added)
        return replace(
            self,
            format=1,
            ends=np.append(self.ends, 0),
            track=np.append(self.track, np.full(added, len(self.ends))),
            tick=np.append(self.tick, np.zeros(added, np.int64)),
            message=np.concatenate([self.message, np.array(messages, np.uint8)]),
            body=np.append(self.body, bodies),
            bodies=[*self.bodies, *contents],
        )

    def moved(self, events: np.ndarray, track: np.ndarray, tick: np.ndarray) -> MidiFile:
        """With events in another track or at another tick, where they come before the others of that tick."""
        tracks, ticks, late = self.track.copy(), self.tick.copy(), np.ones(len(self.tick), np.int8)
        tracks[events], ticks[events], late[events] = track, tick, 0
        order = np.lexsort((late, ticks, tracks))
        return replace(self, track=tracks, tick=ticks).kept(order)

    def to_bytes(self) -> bytes:
        """
        The file, with each event's status said.

        Raises:
            [`RefusedFile`]: `too_long`, if there are more ticks between two events than a file can say.
        """
        borders = np.searchsorted(self.track, np.arange(len(self.ends) + 1))
        chunks = [struct.pack(">4sIHHH", b"MThd", 6, self.format, len(self.ends), self.tpq)]
        for start, stop, end in zip(borders, borders[1:], self.ends, strict=False):
            content = self._track_bytes(slice(start, stop), int(end))
            chunks += [b"MTrk", len(content).to_bytes(4, "big"), content]
        return b"".join(chunks)

    def _track_bytes(self, events: slice, end: int) -> bytes:
        deltas, messages, bodies = np.diff(self.tick[events], prepend=0), self.message[events], self.body[events]
        if deltas.max(initial=0) > LARGEST:
            raise RefusedFile("too_long", f"{deltas.max()} ticks between two events, limit {LARGEST}")
        codes = deltas[:, None] >> SHIFTS
        said = np.ones((len(deltas), len(SHIFTS) + 3), bool)
        said[:, : len(SHIFTS) - 1] = codes[:, :-1] > 0
        said[:, -2] = ~np.isin(messages[:, 0], (SYSEX, ESCAPE))
        said[:, -1] = (messages[:, 0] & 0xE0 != 0xC0) & (bodies < 0)
        rows = np.concatenate([codes & 127 | CONTINUES, messages], axis=1).astype(np.uint8)
        encoded, after = rows[said].tobytes(), np.cumsum(said.sum(axis=1))
        parts, done = [], 0
        for event in np.flatnonzero(bodies >= 0).tolist():
            content = self.bodies[bodies[event]]
            parts += [encoded[done : after[event]], number_bytes(len(content)), content]
            done = int(after[event])
        last = min(max(end - int(deltas.sum()), 0), LARGEST)
        return b"".join([*parts, encoded[done:], number_bytes(last), END])
