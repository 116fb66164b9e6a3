"""One bar of a part, read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple
from xml.etree.ElementTree import Element

from .notation import ANY_STAFF, Bar, Key, Meter, Sign, Sound, Tempo
from .notes import chord_of, read_length, read_sound
from .reading import TICKS_A_QUARTER, BeyondReader, check_known, text_of, whole_number

JUMPS = re.compile(r"\b(capo|coda|fine|segno|d\. ?[cs]\b)", re.IGNORECASE)
WHOLE_TYPES = ("whole", "breve")
WHOLE_LENGTHS = (4 * TICKS_A_QUARTER, 8 * TICKS_A_QUARTER)
MODES = ("major", "minor")


@dataclass
class Standing:
    """
    What earlier bars of a part say of the next.

    Args:
        fills_gaps (`bool`): a `forward` is a rest, as music21 has it in files of Finale.
        divisions (`int`): what durations count, to a quarter note.
        staves (`int`): on which the part is written.
        meter ([`Meter`]): of the last bar.
        ending (`int`, *optional*): the one that is open.
    """

    fills_gaps: bool
    divisions: int = TICKS_A_QUARTER
    staves: int = 1
    meter: Meter = Meter(4, 4)
    ending: int | None = None


class _Rest(NamedTuple):
    sound: Sound
    is_gap: bool
    is_marked: bool
    """Marked as the rest of a whole bar."""
    is_whole: bool
    """Of the look that such a rest has in any meter."""


class BarReader:
    """
    Reads one `measure`; call it once.

    Args:
        standing ([`Standing`]): of the part, which it brings up to date.
    """

    def __init__(self, standing: Standing):
        self._standing = standing
        self._bar = Bar()
        self._now = self._last_sign = 0
        self._chord: list[Sound] = []
        self._rests: list[_Rest] = []
        self._readers = {
            "note": self._read_note,
            "backup": self._read_backup,
            "forward": self._read_forward,
            "attributes": self._read_attributes,
            "direction": self._read_direction,
            "sound": self._read_tempo,
            "harmony": self._read_harmony,
            "barline": self._read_barline,
            "print": self._pass_over,
        }

    def read(self, element: Element, is_last: bool) -> Bar:
        """
        Reads it.

        Args:
            element (`Element`): a `measure`.
            is_last (`bool`): of its part. There music21 takes a rest at the end that only fills a gap away.

        Raises:
            [`BeyondReader`]: it holds something unknown.
        """
        check_known(element, self._readers.keys())
        for child in element:
            if child.tag != "note":
                self._chord = []
            self._readers[child.tag](child)
        voices = self._part_voices()
        self._fill_bar_with_rest()
        sounds = self._bar.sounds
        if is_last and voices < 2 and self._rests and self._rests[-1].is_gap and sounds[-1] is self._rests[-1].sound:
            sounds.pop()
        self._bar.signs.sort(key=lambda sign: sign.start)
        self._bar.length = max([self._last_sign, *(sound.start + sound.length for sound in sounds)])
        return self._bar

    def _read_note(self, element: Element):
        sound = read_sound(element, self._now, self._standing.divisions)
        if element.find("chord") is not None:
            if not self._chord:
                raise BeyondReader("a <chord> without a note before it")
            sound.start = self._chord[0].start
            self._chord.append(sound)
            self._bar.sounds[-1] = chord_of(self._chord)
            return
        self._chord = [sound]
        self._bar.sounds.append(sound)
        self._now += sound.length
        if not sound.pitches:
            kind = text_of(element, "type", "")
            may_fill = kind in WHOLE_TYPES or (not kind and sound.length in WHOLE_LENGTHS)
            is_marked = element.find("rest[@measure='yes']") is not None and (not kind or kind in WHOLE_TYPES)
            self._rests.append(_Rest(sound, False, is_marked, may_fill and element.find("dot") is None))

    def _read_backup(self, element: Element):
        check_known(element, {"duration"})
        self._now = max(0, self._now - read_length(element, self._standing.divisions))

    def _read_forward(self, element: Element):
        check_known(element, {"duration", "voice"})
        length = read_length(element, self._standing.divisions)
        if self._standing.fills_gaps:
            gap = Sound(self._now, length, voice=text_of(element, "voice", ""))
            self._bar.sounds.append(gap)
            self._rests.append(_Rest(gap, True, False, length in WHOLE_LENGTHS))
        self._now += length

    def _read_attributes(self, element: Element):
        check_known(element, {"divisions", "key", "time", "staves", "clef", "staff-details"})
        for child in element:
            if child.tag == "divisions":
                self._standing.divisions = whole_number(child.text, "divisions")
            elif child.tag == "staves":
                self._standing.staves = whole_number(child.text, "staves")
            elif child.tag == "key":
                self._add_sign(self._key(child))
            elif child.tag == "time":
                self._add_sign(self._meter(child))
        if self._now and element.find("divisions") is not None:
            raise BeyondReader("<divisions> within a bar")
        self._last_sign = max(self._last_sign, self._now)

    def _key(self, element: Element) -> Key:
        check_known(element, {"fifths", "mode"}, set())
        mode = text_of(element, "mode", "major")
        if mode not in MODES:
            raise BeyondReader(f"mode {mode!r}")
        return Key(whole_number(element.findtext("fifths"), "fifths"), mode == "minor")

    def _meter(self, element: Element) -> Meter:
        check_known(element, {"beats", "beat-type"}, {"symbol"})
        meter = Meter(*(whole_number(element.findtext(name), name) for name in ("beats", "beat-type")))
        if self._now or len(element) > 2 or meter.beat_type.bit_count() != 1 or not 0 < meter.beats < 256:
            raise BeyondReader(f"<time> {meter.beats}/{meter.beat_type}, {self._now} ticks into a bar")
        self._standing.meter = meter
        return meter

    def _read_direction(self, element: Element):
        check_known(element, {"direction-type", "offset", "sound", "staff"})
        for kind in element.iterfind("direction-type"):
            check_known(kind, {"words"})
            if any(JUMPS.search(words.text or "") for words in kind):
                raise BeyondReader("<words> of a jump")
        staff = whole_number(text_of(element, "staff", str(ANY_STAFF)), "staff")
        place = self._now + self._offset(element)
        for tempo in element.findall("sound")[:1]:
            if place != self._now:
                raise BeyondReader("a tempo with an <offset>")
            self._read_tempo(tempo, staff)
        self._last_sign = max(self._last_sign, place)

    def _read_tempo(self, element: Element, staff: int = ANY_STAFF):
        check_known(element, {"swing"}, {"tempo"})
        if "tempo" not in element.attrib:
            return
        try:
            speed = float(element.get("tempo", ""))
        except ValueError:
            speed = 0.0
        if not 4 <= speed <= 1000:
            raise BeyondReader(f"tempo {element.get('tempo')!r}")
        self._add_sign(Tempo(speed), staff)

    def _offset(self, element: Element) -> int:
        """Ticks from where a direction stands to where it counts."""
        offset = whole_number(text_of(element, "offset", "0"), "offset")
        return offset * TICKS_A_QUARTER // self._standing.divisions

    def _read_harmony(self, element: Element):
        """A chord symbol: what it names is not played."""
        check_known(element, {"root", "kind", "staff"})
        self._last_sign = max(self._last_sign, self._now)

    def _add_sign(self, value: Tempo | Key | Meter, staff: int = ANY_STAFF):
        self._bar.signs.append(Sign(self._now, value, staff))
        self._last_sign = max(self._last_sign, self._now)

    def _read_barline(self, element: Element):
        check_known(element, {"bar-style", "repeat", "ending"}, {"location"})
        place = element.get("location")
        for repeat in element.iterfind("repeat"):
            check_known(repeat, set(), {"direction", "winged"})
            if (place, repeat.get("direction")) not in (("left", "forward"), ("right", "backward")):
                raise BeyondReader(f"a <repeat> {repeat.get('direction')} on the {place}")
            self._bar.opens |= place == "left"
            self._bar.closes |= place == "right"
        for ending in element.iterfind("ending"):
            if (place, ending.get("type")) not in (("left", "start"), ("right", "stop")) or ending.text:
                raise BeyondReader(f"an <ending> {ending.get('type')} on the {place}")
            number = whole_number(ending.get("number"), "ending")
            self._bar.ending = number
            self._standing.ending = number if place == "left" else None
        if self._standing.ending is not None:
            self._bar.ending = self._standing.ending

    def _pass_over(self, element: Element):
        """What is only seen."""

    def _part_voices(self) -> int:
        """Sorts sounds by voice, if there are several, and by time, grace notes first, and counts voices."""
        sounds = self._bar.sounds
        voices = {sound.voice for sound in sounds} - {""}
        if len(voices) < 2:
            for sound in sounds:
                sound.voice = ""
        elif any(not sound.voice for sound in sounds):
            raise BeyondReader("a sound of no voice among several voices")
        sounds.sort(key=lambda sound: (sound.voice, sound.start, sound.length > 0))
        return len(voices)

    def _fill_bar_with_rest(self):
        """Where there is one rest only, or one that is marked so, the first rest lasts as long as a bar."""
        written = [rest for rest in self._rests if not rest.is_gap]
        is_alone = len(written) == 1 and not any(len(sound.pitches) == 1 for sound in self._bar.sounds)
        if not is_alone and not any(rest.is_marked for rest in written):
            return
        first = min(self._rests, key=lambda rest: (rest.sound.voice, rest.sound.start))
        if first.is_marked or first.is_whole:
            first.sound.length = self._standing.meter.bar
