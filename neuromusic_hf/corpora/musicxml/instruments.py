"""The instruments of a work, and the channels that music21 gives them."""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.etree.ElementTree import Element

from .reading import BeyondReader, check_known, text_of, whole_number

KNOWN = {"part-name", "part-abbreviation", "group", "score-instrument", "midi-instrument", "midi-device"}
PIANOS = range(6)
FIRST_PERCUSSION = 112
DRUMS = 10
CHANNELS = tuple(channel for channel in range(1, 17) if channel != DRUMS)
NAMELESS = re.compile(r"(Instrument|MusicXML Default) \d+")
PIANO_NAMES = ("Piano", "Grand Piano", "Acoustic Grand Piano")


class Instrument(NamedTuple):
    """
    What plays a part.

    Args:
        name (`str`): of the part.
        program (`int`, *optional*): of General MIDI, from 0 on.
        channel (`int`, *optional*): that the work asks for, from 1 on.
    """

    name: str
    program: int | None = None
    channel: int | None = None


def read_instrument(element: Element) -> Instrument:
    """
    Reads the instrument of a part.

    Args:
        element (`Element`): a `score-part`.

    Raises:
        [`BeyondReader`]: it is more than one, none that music21's rules are known of here, or has no name.
    """
    check_known(element, KNOWN)
    if len(element.findall("midi-instrument")) > 1 or len(element.findall("score-instrument")) > 1:
        raise BeyondReader("a part of several instruments")
    name = text_of(element, "part-name").replace("\n", " ")
    midi = element.find("midi-instrument")
    if midi is None:
        if element.find("score-instrument") is not None:
            raise BeyondReader("an instrument that has only a name")
        return Instrument(name)
    check_known(midi, {"midi-channel", "midi-program", "volume", "pan"})
    program = max(0, whole_number(midi.findtext("midi-program"), "midi-program") - 1)
    channel = max(0, whole_number(midi.findtext("midi-channel"), "midi-channel") - 1) + 1
    if program >= FIRST_PERCUSSION or channel not in CHANNELS:
        raise BeyondReader(f"program {program} on channel {channel}")
    return Instrument(name, _renamed(program, element), channel)


def share_channels(instruments: list[Instrument]) -> dict[int | None, int]:
    """
    Gives each program a channel, from 1 on: that which its first instrument asks for, or one that is left.

    Raises:
        [`BeyondReader`]: two programs ask for one channel, or there are not enough.
    """
    asked: dict[int | None, int] = {}
    for instrument in instruments:
        if instrument.channel is not None and instrument.program not in asked:
            asked[instrument.program] = instrument.channel
    free = [channel for channel in CHANNELS if channel not in asked.values()]
    others = list(dict.fromkeys(one.program for one in instruments if one.program not in asked))
    if len(set(asked.values())) < len(asked) or len(others) >= len(free):
        raise BeyondReader("more programs than channels")
    return asked | dict(zip(others, free, strict=False))


def _renamed(program: int, element: Element) -> int | None:
    """The name of an instrument overrules the program of a piano, a name that says nothing too."""
    name = text_of(element, "score-instrument/instrument-name", "")
    if program not in PIANOS or not name:
        return program
    if NAMELESS.fullmatch(name):
        return None
    if name in PIANO_NAMES:
        return 0
    raise BeyondReader(f"an instrument {name!r} of program {program}")
