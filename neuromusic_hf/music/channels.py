"""Who sounds on which channel of a MIDI file, note by note, where there are more programs than channels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .writable import UnwritableScore

MELODIC_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15)
DRUM_CHANNEL = 9
MOST_PORTS = 128


@dataclass(frozen=True, eq=False)
class Part:
    """
    What may share a channel at any time: one track, or all tracks of one program and the same controllers.

    Args:
        name (`str`): of its tracks.
        program (`int`): 0 to 127.
        notes (`np.ndarray` of shape `(notes, 5)`):
            Onset, end, the tick from which nothing of it is heard (later than the end under a pedal), pitch, velocity.
        changes (`list` of `(tick, status, first byte, second byte)`): controllers and pitch bends, in order of time.
    """

    name: str
    program: int
    notes: np.ndarray
    changes: list[tuple[int, int, int, int]]


@dataclass(eq=False)
class Channel:
    """
    A channel of a port, and what is written there. It belongs to one part at a time.

    Args:
        port (`int`): 0 where there is but one.
        number (`int`): 0 to 15.
        tenants (`list` of `(tick, Part)`): which part it belongs to, from which tick.
        notes (`list` of `(tenant, onset, end, pitch, velocity)`): in order of time; `tenant` is an index.
        quiet (`int`): tick from which nothing of it is heard.
        ends (`dict[int, int]`): by pitch, the tick from which it does not sound.
        guests (`set` of [`Part`]): the tenants there have been.
        namesakes (`list` of [`Channel`]): those of other ports that have its number.
    """

    port: int
    number: int
    tenants: list[tuple[int, Part]] = field(default_factory=list)
    notes: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    quiet: int = -1
    ends: dict[int, int] = field(default_factory=dict)
    guests: set[Part] = field(default_factory=set)
    namesakes: list[Channel] = field(default_factory=list)

    @property
    def owner(self) -> Part | None:
        """To whom it belongs at last."""
        return self.tenants[-1][1] if self.tenants else None

    def distance(self, part: Part) -> tuple:
        """What `part` avoids: another port, a channel it has not had, one that others have, one they just had."""
        return self.port, part not in self.guests, self.owner is not None, self.quiet

    def add(self, part: Part, onset: int, end: int, quiet: int, pitch: int, velocity: int):
        """Writes a note of `part`, which is the owner from then on."""
        if not self.notes:
            self.tenants = [(0, part)]
        elif self.owner is not part:
            self.tenants.append((onset, part))
        self.guests.add(part)
        self.notes.append((len(self.tenants) - 1, onset, end, pitch, velocity))
        self.quiet = max(self.quiet, quiet)
        self.ends[pitch] = max(self.ends.get(pitch, -1), end)


def share_channels(parts: Sequence[Part], *, most_ports: int = 1, unisons: bool = False) -> list[Channel]:
    """
    Gives each note a channel that no other part sounds on, and on which its own pitch does not sound.

    A part keeps its channel until another needs it; a pitch that sounds already goes to a second channel. Where all
    channels of a port sound, that of another port is taken whose number has no such pitch on any port: a player that
    knows no ports then plays the same notes, since a change of program leaves those alone that sound.

    Args:
        parts (sequence of [`Part`]): none of drums.
        most_ports (`int`, *optional*, defaults to 1): ports to use at most.
        unisons (`bool`, *optional*, defaults to `False`):
            Whether a part may strike a pitch that sounds on its channel; readers then end the note first that began
            first.

    Raises:
        [`UnwritableScore`]: there are too few channels; the message says how many parts sound at once.
    """
    channels = _open_port(0, [])
    if len(parts) <= len(channels):
        for channel, part in zip(channels, parts, strict=False):
            channel.tenants = [(0, part)]
    columns = np.concatenate([np.insert(part.notes, 5, index, axis=1) for index, part in enumerate(parts)])
    order = np.lexsort((columns[:, 5], columns[:, 1], columns[:, 0]))
    for *note, index in columns[order].tolist():
        found = _find(channels, parts[index], note, unisons)
        if found is None and channels[-1].port + 1 < most_ports:
            channels += _open_port(channels[-1].port + 1, channels)
            found = _find(channels, parts[index], note, unisons)
        if found is None:
            raise UnwritableScore(_crowd(columns, note))
        found.add(parts[index], *note)
    return [channel for channel in channels if channel.notes]


def _open_port(port: int, channels: list[Channel]) -> list[Channel]:
    """The channels of another port."""
    opened = [Channel(port, number) for number in MELODIC_CHANNELS]
    for channel, other in itertools.product(opened, channels):
        if channel.number == other.number:
            channel.namesakes.append(other)
            other.namesakes.append(channel)
    return opened


def _find(channels: list[Channel], part: Part, note: list[int], unisons: bool) -> Channel | None:
    onset, pitch = note[0], note[3]

    def is_silent(channel: Channel) -> bool:
        if channel.ends.get(pitch, -1) > onset and not (unisons and channel.owner is part):
            return False
        # Whether an end and an onset at one tick come in this order is sure within one track of the file alone.
        return all(other.ends.get(pitch, -1) < onset for other in channel.namesakes)

    own = (channel for channel in channels if channel.owner is part and is_silent(channel))
    if (channel := next(own, None)) is not None:
        return channel
    free = [channel for channel in channels if channel.owner is not part and channel.quiet <= onset]
    free = [channel for channel in free if is_silent(channel)]
    return min(free, key=lambda channel: channel.distance(part), default=None)


def _crowd(columns: np.ndarray, note: list[int]) -> str:
    onset, pitch = note[0], note[3]
    sounding = columns[(columns[:, 0] <= onset) & ((columns[:, 2] > onset) | (columns[:, 0] == onset))]
    parts = len(np.unique(sounding[:, 5]))
    unison = len(np.unique(sounding[sounding[:, 3] == pitch, 5]))
    return (
        f"{parts} parts of their own program or controllers sound at once at tick {onset}, {unison} of them at pitch "
        f"{pitch}, and a MIDI file has {len(MELODIC_CHANNELS)} channels for them: leave tracks out, or write them to "
        "several files."
    )


def drum_channels(parts: Sequence[Part]) -> list[Channel]:
    """
    The drum channel of a file, once for each kit, and again for hits within the length of another of the same drum.

    So a reader of tracks finds the lengths they had, which no player heeds.
    """
    channels = []
    for part in parts:
        own: list[Channel] = []
        for note in part.notes[np.lexsort((part.notes[:, 1], part.notes[:, 0]))].tolist():
            channel = next((each for each in own if each.ends.get(note[3], -1) <= note[1]), None)
            if channel is None:
                channel = Channel(0, DRUM_CHANNEL)
                own.append(channel)
            channel.add(part, *note)
        channels += own
    return channels
