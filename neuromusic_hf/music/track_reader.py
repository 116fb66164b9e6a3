"""The events of one track, read with the patience of a player."""

from __future__ import annotations

import re

import numpy as np

from .mends import Mends
from .refusals import RefusedFile

SYSEX, ESCAPE, META, END_OF_TRACK = 0xF0, 0xF7, 0xFF, 0x2F
WIRE_LENGTHS = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0, 0xF8: 0, 0xFA: 0, 0xFB: 0, 0xFC: 0, 0xFE: 0}
"""Data bytes of the messages that only a cable carries."""
LONGEST, LARGEST = 4, 2**28 - 1
"""Bytes and value of a number of variable length."""

DATA_NAMES: dict[int, tuple[str, ...]] = {
    0x80: ("pitch", "velocity"),
    0x90: ("pitch", "velocity"),
    0xA0: ("pitch", "pressure"),
    0xB0: ("control_number", "control_value"),
    0xC0: ("program",),
    0xD0: ("pressure",),
    0xE0: ("pitch_bend", "pitch_bend"),
}
"""What the data bytes of channel events are, by their status."""

DELTA = rb"[\x80-\xff]{0,3}[\x00-\x7f]"
UNSAID = rb"(?:" + DELTA + rb"[\x00-\x7f]{2})*"
"""Events with two data bytes that have the status of the one before."""
BEGINS = re.compile(rb"(?:" + DELTA + rb"([\x80-\xbf\xe0-\xef])[\x00-\x7f]{2}" + UNSAID + rb")*")
"""Events with two data bytes, of which the first says its status; the group is the last that is said."""
GOES_ON = re.compile(UNSAID + BEGINS.pattern)
RUN_BYTES = 1 << 16
"""Matched at a time, as a pattern keeps each repetition in memory until it ends; and made arrays of at a time."""


class EndsWithin(Exception):
    """An event goes on beyond the bytes there are."""


class TrackReader:
    """
    Reads the events of a track, from `position` on.

    Attributes:
        position (`int`): of the next byte.
        ended (`bool`): whether the event was read that ends the track.
        bodies (`list[bytes]`): content of system exclusive and meta events.
    """

    def __init__(self, data: bytes, position: int, mends: Mends):
        self.position = position
        self.ended = False
        self.bodies: list[bytes] = []
        self._data = data
        self._mends = mends
        self._values = _Numbers()
        self._events = bytearray()  # that are not in arrays yet, each with two data bytes
        self._arrays: list[tuple[np.ndarray, ...]] = []
        self._running = 0
        self._interrupted = False  # by a system exclusive event, after which the status has to be said again

    def arrays(self) -> tuple[np.ndarray, np.ndarray, int]:
        """
        What was read.

        Returns:
            Ticks, an array of shape `(events, 3)` (status, and two data bytes; of a meta event its type), and the
            tick at which the track ends.
        """
        self._make_arrays()
        deltas, said, values = (np.concatenate(of_runs) for of_runs in zip(*self._arrays, strict=True))
        ticks = np.cumsum(deltas)
        last = np.maximum.accumulate(np.where((said > 0) & (said < SYSEX), np.arange(len(said)), 0))
        status = np.where(said >= SYSEX, said, said[last])
        messages = np.concatenate([status[:, None], values], axis=1)
        is_kept = ~np.isin(status, list(WIRE_LENGTHS)) & ((status != META) | (values[:, 0] != END_OF_TRACK))
        return ticks[is_kept], messages[is_kept], int(ticks.max(initial=0))

    def read(self, limit: int) -> None:
        """
        Reads up to the end of the track, or to the byte `limit`.

        Raises:
            [`EndsWithin`]: an event goes beyond `limit`; `position` stays before it.
            [`RefusedFile`]: `unreadable`, bytes are no event.
        """
        while not self.ended and self.position < limit:
            self._read_run(min(limit, self.position + RUN_BYTES))
            if self.position < limit:
                self._read_event(limit)
            if len(self._events) > RUN_BYTES:
                self._make_arrays()

    def _read_run(self, limit: int) -> None:
        goes_on = 0x80 <= self._running and self._running & 0xE0 != 0xC0 and not self._interrupted
        found = (GOES_ON if goes_on else BEGINS).match(self._data, self.position, limit)
        if not found or found.end() == self.position:
            return
        self._events += found[0]
        if found[1]:
            self._running, self._interrupted = found[1][0], False
        self.position = found.end()

    def _make_arrays(self) -> None:
        self._arrays.append(_events_of(bytes(self._events)))
        self._events.clear()

    def _read_event(self, limit: int) -> None:
        delta, at = self._number(self.position, limit)
        status = self._byte(at, limit)
        if status < 0x80:
            status = self._said_before(at)
        else:
            at += 1
        if status == META:
            at = self._read_meta(delta, at, limit)
        elif status in (SYSEX, ESCAPE):
            body, at = self._body(at, limit)
            self._interrupted = True
            self.bodies.append(body)
            self._add(delta, status)
        elif status < 0xF0:
            at = self._read_channel_event(delta, status, at, limit)
        else:
            at = self._skip_wire_message(delta, status, at, limit)
        self.position = at

    def _said_before(self, at: int) -> int:
        if not self._running:
            raise RefusedFile("unreadable", f"no event begins with {self._data[at]:#04x}, byte {at}")
        if self._interrupted:
            self._mends.damage(
                "unsaid_status",
                "unreadable",
                f"byte {at}: the status {self._running:#04x} is not said again after a system exclusive event",
            )
        return self._running

    def _read_channel_event(self, delta: int, status: int, at: int, limit: int) -> int:
        length = 1 if status & 0xE0 == 0xC0 else 2
        values = [self._byte(at + index, limit) for index in range(length)]
        for index, value in enumerate(values):
            if value > 127:
                self._mends.damage(
                    "data_byte", "unreadable", f"byte {at + index}: {_named(status, index)}={value}, now 127"
                )
        first, second = min(values[0], 127), min(values[-1], 127)
        self._running, self._interrupted = status, False
        self._add(delta, status, first, second if length == 2 else 0)
        return at + length

    def _read_meta(self, delta: int, at: int, limit: int) -> int:
        kind = self._byte(at, limit)
        body, at = self._body(at + 1, limit)
        if kind == END_OF_TRACK:
            self.ended = True
        else:
            self.bodies.append(body)
        self._add(delta, META, kind)
        return at

    def _skip_wire_message(self, delta: int, status: int, at: int, limit: int) -> int:
        if status not in WIRE_LENGTHS:
            raise RefusedFile("unreadable", f"byte {at - 1}: there is no event {status:#04x}")
        end = at + WIRE_LENGTHS[status]
        self._byte(end - 1, limit)
        self._mends.damage("wire_message", "unreadable", f"byte {at - 1}: {status:#04x} is left out")
        self._running = 0 if status < 0xF8 else self._running
        self._add(delta, status)
        return end

    def _add(self, delta: int, status: int, first: int = 0, second: int = 0) -> None:
        self._events += number_bytes(delta) + bytes((status, first, second))

    def _byte(self, at: int, limit: int) -> int:
        if at >= limit:
            raise EndsWithin
        return self._data[at]

    def _body(self, at: int, limit: int) -> tuple[bytes, int]:
        length, at = self._number(at, limit)
        if at + length > limit:
            raise EndsWithin
        return self._data[at : at + length], at + length

    def _number(self, at: int, limit: int) -> tuple[int, int]:
        """A number of variable length, and the byte after it."""
        end = at
        while self._byte(end, limit) > 127:
            end += 1
        end += 1
        value = self._values[self._data[at:end]]
        if value > LARGEST:
            raise RefusedFile("unreadable", f"byte {at}: a number above {LARGEST}")
        if end - at > LONGEST:
            self._mends.damage("long_number", "unreadable", f"byte {at}: a number of {end - at} bytes, {value}")
        return value, end


def _events_of(run: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Events with two data bytes.

    Returns:
        Of shape `(events,)`, the ticks before each, and its status, 0 where it is the one before; of shape
        `(events, 2)`, its data bytes.
    """
    data = np.frombuffer(run + bytes(LONGEST + 2), np.uint8)
    high, begins = data > 127, np.arange(len(run))
    status, goes_on = begins + 1, np.ones(len(run), bool)
    for index in range(LONGEST - 1):
        goes_on &= high[index : index + len(run)]
        status += goes_on
    # If an event begins at a byte, the next one begins there.
    after = status + high[status] + 2
    found, begin, steps = [], 0, after.data
    while begin < len(run):
        found.append(begin)
        begin = steps[begin]
    begins = np.array(found, np.int64)
    status = status[begins]
    deltas = np.zeros(len(found), np.int64)
    for index in range(LONGEST):
        deltas = np.where(begins + index < status, deltas << 7 | data[begins + index] & 127, deltas)
    first = status + high[status]
    return deltas, np.where(high[status], data[status], 0), np.stack([data[first], data[first + 1]], axis=1)


def number_bytes(value: int) -> bytes:
    """A number of variable length."""
    code = [value & 127]
    while value := value >> 7:
        code.append(value & 127 | 128)
    return bytes(reversed(code))


class _Numbers(dict):
    """Values of numbers of variable length, by their bytes."""

    def __missing__(self, code: bytes) -> int:
        value = 0
        for byte in code[-10:]:
            value = value << 7 | byte & 127
        self[code] = value
        return value


def _named(status: int, index: int) -> str:
    return DATA_NAMES[status & 0xF0][index]
