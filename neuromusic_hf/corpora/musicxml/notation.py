"""What of the notation is heard. Times are in ticks, `TICKS_A_QUARTER` to a quarter note."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .reading import TICKS_A_QUARTER

ANY_STAFF = 0
VELOCITY = 90


class Pitch(NamedTuple):
    """A note by its name and, as `midi`, its key. A written natural sign makes another pitch than none does."""

    step: str
    octave: int
    accidental: str | None
    midi: int


@dataclass(slots=True)
class Sound:
    """
    A note, chord or rest.

    Args:
        start (`int`): ticks from the beginning of its bar.
        length (`int`): in ticks; 0 of a grace note.
        pitches (`tuple[Pitch, ...]`): none of a rest.
        tie (`str`, *optional*): `"start"`, `"continue"` or `"stop"`.
        lyric (`str`): its lines under one another, or nothing.
        voice (`str`): name of the voice that it is in.
        staff (`int`): number of the staff that it is on, or `ANY_STAFF`.
        velocity (`int`): how loud it is played.
    """

    start: int
    length: int
    pitches: tuple[Pitch, ...] = ()
    tie: str | None = None
    lyric: str = ""
    voice: str = ""
    staff: int = ANY_STAFF
    velocity: int = VELOCITY


class Tempo(NamedTuple):
    """Quarter notes to a minute."""

    speed: float


class Key(NamedTuple):
    """Sharps, below 0 flats, and the mode."""

    sharps: int
    minor: bool


class Meter(NamedTuple):
    """A time signature."""

    beats: int
    beat_type: int

    @property
    def bar(self) -> int:
        """Ticks of a bar."""
        return self.beats * 4 * TICKS_A_QUARTER // self.beat_type


class Sign(NamedTuple):
    """A tempo, key or meter, from a tick of its bar on."""

    start: int
    value: Tempo | Key | Meter
    staff: int = ANY_STAFF


@dataclass
class Bar:
    """
    A bar of one part.

    Args:
        sounds (`list[Sound]`): by voice, and by time in a voice.
        signs (`list[Sign]`): by time.
        length (`int`): ticks to where the last of its content ends, whatever the meter.
        opens (`bool`): a repeat begins with it.
        closes (`bool`): a repeat ends with it.
        ending (`int`, *optional*): number of the ending that it is all of.
        start (`int`): ticks from the beginning of the part.
    """

    sounds: list[Sound] = field(default_factory=list)
    signs: list[Sign] = field(default_factory=list)
    length: int = 0
    opens: bool = False
    closes: bool = False
    ending: int | None = None
    start: int = 0
