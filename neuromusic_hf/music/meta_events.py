"""Events that are no notes, such that every reader can read them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .limits import SanityLimits
from .mends import Mends
from .midi_file import MidiFile
from .track_reader import ESCAPE, SYSEX

SET_TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x51, 0x58, 0x59
LENGTHS = {
    0x00: (0, 2),
    0x20: (1,),
    0x21: (1,),
    SET_TEMPO: (3,),
    0x54: (5,),
    TIME_SIGNATURE: (4,),
    KEY_SIGNATURE: (2,),
}
"""Bytes of the meta events that have a fixed number of them."""
USUAL_CLOCKS = b"\x18\x08"
"""Of a time signature: MIDI clocks of a click of the metronome, and 32nd notes of a quarter note."""
LARGEST_POWER = 7
"""Of a denominator: 1/128."""
SHARPS_AND_FLATS = (*range(8), *range(249, 256))
SLOWEST, FASTEST = 5, 1_000
"""Quarter notes per minute that music has."""
LONGEST_QUARTER = 2**24 - 1
"""In microseconds, of which three bytes say the number."""


def fault_of(kind: int, content: bytes, limits: SanityLimits) -> str | None:
    """Names what is wrong with a meta event: the kind of its mend."""
    if kind not in LENGTHS:
        return None
    if len(content) not in LENGTHS[kind]:
        return "meta_event"
    if kind == SET_TEMPO and int.from_bytes(content, "big") != _within(int.from_bytes(content, "big"), limits):
        return "tempo"
    if kind == TIME_SIGNATURE and (content[0] == 0 or content[1] > LARGEST_POWER):
        return "time_signature"
    if kind == KEY_SIGNATURE and (content[0] not in SHARPS_AND_FLATS or content[1] > 1):
        return "key_signature"
    return None


def is_whole_sysex(content: bytes) -> bool:
    """Whether a system exclusive event is whole, and holds nothing but data."""
    return content.endswith(b"\xf7") and content[:-1].isascii()


def mend_meta(file: MidiFile, mends: Mends, limits: SanityLimits) -> MidiFile:
    """
    Brings tempos within what music has, and drop what no reader can read.

    Raises:
        [`RefusedFile`]: `tempo_out_of_range` or `bad_time_signature`, if nothing may be mended.
    """
    keep, bodies = np.ones(len(file.track), bool), list(file.bodies)
    meta, status = file.meta, file.message[:, 0]
    for event in np.flatnonzero(np.isin(meta, list(LENGTHS))).tolist():
        mended = _mend(int(meta[event]), file.content(event), int(file.tick[event]), mends, limits)
        keep[event] = mended is not None
        bodies[file.body[event]] = mended or b""
    for event in np.flatnonzero((status == SYSEX) | (status == ESCAPE)).tolist():
        if status[event] == ESCAPE or not is_whole_sysex(file.content(event)):
            mends.oddity("system_exclusive", f"tick {file.tick[event]}: an event in pieces or with no end is dropped")
            keep[event] = False
    return replace(file, bodies=bodies).kept(keep)


def _mend(kind: int, content: bytes, tick: int, mends: Mends, limits: SanityLimits) -> bytes | None:
    """The content such as it should be, or none if the event is dropped."""
    fault = fault_of(kind, content, limits)
    if fault == "meta_event":
        mends.oddity(fault, f"tick {tick}: {content[:8]!r} is no content of a meta event {kind:#04x}")
        if (cut := _of_right_length(kind, content)) is None:
            return None
        content, fault = cut, fault_of(kind, cut, limits)
    if fault == "tempo":
        return _mend_tempo(int.from_bytes(content, "big"), tick, mends, limits)
    if fault == "time_signature":
        found = f"{content[0]}/{2 ** content[1]} at tick {tick}"
        mends.damage(fault, "bad_time_signature", found)
    elif fault == "key_signature":
        mends.oddity(fault, f"tick {tick}: there is no key {content.hex(' ')}")
    return None if fault else content


def _of_right_length(kind: int, content: bytes) -> bytes | None:
    length = LENGTHS[kind][-1]
    if kind == TIME_SIGNATURE and 2 <= len(content) < length:
        return content[:2] + USUAL_CLOCKS
    return content[:length] if len(content) > length else None


def _mend_tempo(microseconds: int, tick: int, mends: Mends, limits: SanityLimits) -> bytes | None:
    tempo = 60e6 / microseconds if microseconds else math.inf
    mends.damage(
        "tempo",
        "tempo_out_of_range",
        f"{tempo:g} quarter notes per minute at tick {tick}, where music has {SLOWEST} to {FASTEST}",
    )
    return _within(microseconds, limits).to_bytes(3, "big") if microseconds else None


def _within(microseconds: int, limits: SanityLimits) -> int:
    """The nearest length of a quarter note that music has, or that the limits allow."""
    shortest = math.ceil(60e6 / max(limits.max_tempo, FASTEST)) if limits.max_tempo else 1
    longest = math.floor(60e6 / min(limits.min_tempo, SLOWEST)) if limits.min_tempo else LONGEST_QUARTER
    return min(max(microseconds, shortest, 1), longest, LONGEST_QUARTER)
