"""Where in a MIDI file the notes of a score's tracks go."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from symusic.core import TrackTick

from .channels import DRUM_CHANNEL, MELODIC_CHANNELS
from .writable import UnwritableScore


class Home(NamedTuple):
    """
    Where notes are written.

    Args:
        track (`int`): of the file.
        port (`int`): 0 where the file names none.
        channel (`int`): 0 to 15.
    """

    track: int
    port: int
    channel: int


class NewTrack(NamedTuple):
    """
    A track that a file gets.

    Args:
        name (`str`): of it.
        home ([`Home`]): of its notes.
        program (`int`, *optional*): to begin with; `None` where others say what their channel plays.
    """

    name: str
    home: Home
    program: int | None


class Homes:
    """
    Finds a home for each note, on the channel of its track.

    Where its pitch sounds there already, it goes to another track with that channel, as the end of one note would else
    end the other.

    Args:
        tracks (`int`): that the file has.
        with_notes (`set[int]`): channels of port 0 on which notes are.
        with_events (`set[int]`): channels of port 0 on which anything is.

    Attributes:
        opened (`list` of [`NewTrack`]): tracks that the file gets.
    """

    def __init__(self, tracks: int, with_notes: set[int], with_events: set[int]):
        self.opened: list[NewTrack] = []
        self._tracks, self._with_notes, self._with_events = tracks, set(with_notes), set(with_events)
        self._homes: defaultdict[int, list[Home]] = defaultdict(list)
        self._sounding: defaultdict[tuple[Home, int], list[tuple[int, int]]] = defaultdict(list)

    def settle(self, index: int, home: Home) -> None:
        """Tells where the notes are of a track of the score."""
        self._homes[index].append(home)

    def occupy(self, home: Home, pitch: int, onset: int, end: int) -> None:
        """Tells that a note is there."""
        self._sounding[home, pitch].append((onset, end))

    def find(self, index: int, track: TrackTick, pitch: int, onset: int, end: int) -> Home:
        """
        Finds a home for a note of a track of the score.

        Raises:
            [`UnwritableScore`]: the file does not have the track, and notes are on all channels.
        """
        homes = self._homes[index]
        home = next((home for home in homes if self._is_silent(home, pitch, onset, end)), None)
        if home is None:
            home = self._open(track, homes)
            homes.append(home)
        self.occupy(home, pitch, onset, end)
        return home

    def _is_silent(self, home: Home, pitch: int, onset: int, end: int) -> bool:
        return all(end <= other_onset or other_end <= onset for other_onset, other_end in self._sounding[home, pitch])

    def _open(self, track: TrackTick, homes: list[Home]) -> Home:
        _, port, channel = homes[0] if homes else (0, 0, self._free_channel(track))
        home = Home(self._tracks + len(self.opened), port, channel)
        is_own = not homes and channel not in self._with_events
        self.opened.append(NewTrack(track.name, home, track.program if is_own else None))
        if not homes:
            self._with_notes.add(channel)
            self._with_events.add(channel)
        return home

    def _free_channel(self, track: TrackTick) -> int:
        if track.is_drum:
            return DRUM_CHANNEL
        free = [channel for channel in MELODIC_CHANNELS if channel not in self._with_notes]
        if not free:
            raise UnwritableScore(
                f"The file has no channel for the new track {track.name!r}, program {track.program}: notes are on all "
                f"{len(MELODIC_CHANNELS)}. Take a program that it has, or have midi_bytes() share the channels anew."
            )
        return min(free, key=lambda channel: channel in self._with_events)
