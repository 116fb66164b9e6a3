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

    @property
    def number(self) -> int:
        """Of the channel among those of all ports."""
        return 16 * self.port + self.channel


class Written(NamedTuple):
    """
    A note of a channel and pitch.

    Args:
        track (`int`): of the file.
        onset (`int`): in ticks.
        end (`int`): in ticks.
    """

    track: int
    onset: int
    end: int


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
    end the other. A new track gets a channel without notes. Where there is none, its notes are guests on channels that
    are silent meanwhile, if possible, with the controllers of these.

    Args:
        tracks (`int`): that the file has.
        with_notes (`set[int]`): channels on which notes are, and 16 more for each port.
        with_events (`set[int]`): channels on which anything is, likewise.

    Attributes:
        opened (`list` of [`NewTrack`]): tracks that the file gets.
    """

    def __init__(self, tracks: int, with_notes: set[int], with_events: set[int]):
        self.opened: list[NewTrack] = []
        self._tracks, self._with_notes, self._with_events = tracks, set(with_notes), set(with_events)
        self._homes: defaultdict[int, list[Home]] = defaultdict(list)
        self._of_guests: set[Home] = set()
        self._notes: defaultdict[tuple[int, int], list[Written]] = defaultdict(list)

    def settle(self, index: int, home: Home) -> None:
        """Tells where the notes are of a track of the score."""
        self._homes[index].append(home)

    def occupy(self, home: Home, pitch: int, onset: int, end: int) -> None:
        """Tells that a note is there."""
        self._with_notes.add(home.number)
        self._notes[home.number, pitch].append(Written(home.track, onset, end))

    def find(self, index: int, track: TrackTick, pitch: int, onset: int, end: int) -> Home:
        """
        Finds a home for a note of a track of the score.

        Raises:
            [`UnwritableScore`]: the track is new, and the pitch sounds on all channels.
        """
        homes = self._homes[index]
        home = next((home for home in homes if self._is_free(home, pitch, onset, end)), None)
        if home is None:
            home = self._open(track, homes, pitch, onset, end)
            homes.append(home)
        self.occupy(home, pitch, onset, end)
        return home

    def _is_free(self, home: Home, pitch: int, onset: int, end: int) -> bool:
        if home in self._of_guests:
            return not self._meanwhile(home.number, onset, end)
        others = (note for note in self._notes[home.number, pitch] if note.track == home.track)
        return all(end <= note.onset or note.end <= onset for note in others)

    def _meanwhile(self, number: int, onset: int, end: int) -> list[int]:
        """Pitches that sound on a channel until then, or begin there as a note ends."""
        return [
            pitch
            for pitch in range(128)
            for note in self._notes.get((number, pitch), ())
            if note.onset <= end and onset <= note.end
        ]

    def _open(self, track: TrackTick, homes: list[Home], pitch: int, onset: int, end: int) -> Home:
        file_track = self._tracks + len(self.opened)
        if homes and homes[0] not in self._of_guests:
            return self._in_new_track(track, Home(file_track, homes[0].port, homes[0].channel))
        channel = DRUM_CHANNEL if track.is_drum else self._channel_without_notes()
        if not homes and channel is not None:
            return self._in_new_track(track, Home(file_track, 0, channel))
        guest = Home(homes[0].track if homes else file_track, 0, self._channel_for_guest(pitch, onset, end))
        self._of_guests.add(guest)
        return guest if homes else self._in_new_track(track, guest)

    def _in_new_track(self, track: TrackTick, home: Home) -> Home:
        is_alone = home.number not in self._with_events
        self.opened.append(NewTrack(track.name, home, track.program if is_alone else None))
        self._with_events.add(home.number)
        return home

    def _channel_without_notes(self) -> int | None:
        free = [channel for channel in MELODIC_CHANNELS if channel not in self._with_notes]
        return min(free, key=lambda channel: channel in self._with_events, default=None)

    def _channel_for_guest(self, pitch: int, onset: int, end: int) -> int:
        """The most silent one."""
        meanwhile = {channel: self._meanwhile(channel, onset, end) for channel in MELODIC_CHANNELS}
        free = [channel for channel, pitches in meanwhile.items() if pitch not in pitches]
        if not free:
            raise UnwritableScore(
                f"A new note at tick {onset} fits no channel of the file: pitch {pitch} sounds on all "
                f"{len(MELODIC_CHANNELS)}. Leave it out."
            )
        return min(free, key=lambda channel: len(meanwhile[channel]))
