"""A work as a MIDI file, the very one that music21 writes."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ...music.track_chunks import (
    CLOCKS_A_CLICK,
    KEY,
    LYRIC,
    METER,
    NAME,
    NOTE_OFF,
    NOTE_ON,
    PROGRAM,
    TEMPO,
    THIRTY_SECONDS_A_QUARTER,
    file_header,
    meta_message,
    track_chunk,
)
from .instruments import Instrument, read_instrument, share_channels
from .notation import Bar, Key, Meter, Tempo
from .parts import read_part
from .playing import join_ties, sounds_of, unfold
from .reading import TICKS_A_QUARTER, BeyondReader, check_known

KNOWN = {"work", "movement-title", "identification", "defaults", "credit", "part-list", "part"}
PITCH_BEND = 0xE0
CENTRE = (0, 64)
TAIL = TICKS_A_QUARTER
"""Ticks from the last event of a track to its end."""
UNLESS_GIVEN = {Tempo: Tempo(120), Key: None, Meter: Meter(4, 4)}
"""Kinds of signs in the order in which those of one time are written, with what stands if a work has none."""
HEAD, END, BEND, REST = range(4)
"""The order of events of one time in a track of sounds."""

Event = tuple[int, int, bytes]
"""Tick, place among the events of one tick, message."""


def midi_of(root: Element) -> bytes:
    """
    Gives a work as a MIDI file: tempos, keys and meters in one track, then one for each staff of each part.

    Args:
        root (`Element`): `score-partwise`.

    Raises:
        [`BeyondReader`]: it holds something that may not be read as by music21.
    """
    if root.tag != "score-partwise":
        raise BeyondReader(f"<{root.tag}>")
    check_known(root, KNOWN)
    software = (one.text or "" for one in root.iterfind("identification/encoding/software"))
    fills_gaps = "Finale" in next(filter(str.strip, software), "")
    listed = {one.get("id"): read_instrument(one) for one in root.iterfind("part-list/score-part")}
    played: list[tuple[Instrument, list[Bar]]] = []
    for part in root.iterfind("part"):
        if part.get("id") not in listed:
            raise BeyondReader(f"part {part.get('id')!r} is not in <part-list>")
        played += [(listed[part.get("id")], unfold(bars)) for bars in read_part(part, fills_gaps)]
    channels = share_channels([instrument for instrument, _ in played])
    tracks = [_track(_sign_events([bars for _, bars in played]))]
    for instrument, bars in played:
        tracks.append(_track(_part_events(instrument, bars, channels[instrument.program] - 1)))
    return file_header(len(tracks), TICKS_A_QUARTER) + b"".join(tracks)


def _track(events: Iterator[Event]) -> bytes:
    in_order = sorted(events, key=lambda event: event[:2])
    return track_chunk(((tick, message) for tick, _, message in in_order), TAIL)


def _sign_events(parts: list[list[Bar]]) -> Iterator[Event]:
    """
    The signs of all parts together.

    As in music21, in the list of one part's signs after the other's a sign counts that is later than the one before:
    parts share their first signs, and each adds its later ones.
    """
    signs = [(bar.start + sign.start, sign.value) for bars in parts for bar in bars for sign in bar.signs]
    for place, (kind, default) in enumerate(UNLESS_GIVEN.items()):
        of_kind = [(tick, value) for tick, value in signs if isinstance(value, kind)]
        if not of_kind and default is not None:
            of_kind = [(0, default)]
        before = -1
        for tick, value in of_kind:
            if tick > before:
                yield tick, place, _sign_message(value)
            before = tick


def _sign_message(sign: Tempo | Key | Meter) -> bytes:
    if isinstance(sign, Tempo):
        return meta_message(TEMPO, round(60_000_000 / sign.speed).to_bytes(3, "big"))
    if isinstance(sign, Key):
        return meta_message(KEY, bytes([sign.sharps % 256, sign.minor]))
    power = sign.beat_type.bit_length() - 1
    return meta_message(METER, bytes([sign.beats, power, CLOCKS_A_CLICK, THIRTY_SECONDS_A_QUARTER]))


def _part_events(instrument: Instrument, bars: list[Bar], channel: int) -> Iterator[Event]:
    """A part's name and program, and its notes with their lyrics."""
    yield 0, HEAD, meta_message(NAME, instrument.name.encode())
    program = bytes([PROGRAM | channel, instrument.program or 0])
    if instrument.program is not None:
        yield 0, HEAD, program
    yield 0, BEND, bytes([PITCH_BEND | channel, *CENTRE])
    yield 0, REST, program
    for sound in join_ties(sounds_of(bars)):
        if sound.lyric and sound.pitches:
            yield sound.start, REST, meta_message(LYRIC, sound.lyric.encode())
        for pitch in sound.pitches:
            yield sound.start, REST, bytes([NOTE_ON | channel, pitch.midi, sound.velocity])
        for pitch in sound.pitches:
            yield sound.start + sound.length, END, bytes([NOTE_OFF | channel, pitch.midi, 0])
