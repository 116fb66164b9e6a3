"""Notes, chords and rests of a bar."""

from __future__ import annotations

from functools import lru_cache
from xml.etree.ElementTree import Element

from .notation import ANY_STAFF, VELOCITY, Pitch, Sound
from .reading import TICKS_A_QUARTER, BeyondReader, check_known, text_of, whole_number

KNOWN = {
    *("pitch", "rest", "duration", "chord", "grace", "tie", "voice", "staff", "lyric", "accidental", "notations"),
    *("type", "dot", "stem", "beam"),
}
SILENT = {"default-x", "default-y", "print-object", "print-spacing"}
NOTATIONS = {"articulations", "fermata", "ornaments", "slur", "tied"}
ORNAMENTS = {"inverted-mordent", "trill-mark", "wavy-line"}
"""Ornaments are played as the plain note."""
ARTICULATIONS = {"staccato": 96, "staccatissimo": 96, "tenuto": 84, "accent": 103, "strong-accent": 109}
"""The velocities of notes that have one; no articulation changes a length."""
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS = {"natural": 0, "sharp": 1, "flat": -1, "double-sharp": 2, "double-flat": -2}
NAMES = {alter: name for name, alter in ACCIDENTALS.items()}
TIES = {("start",): "start", ("stop",): "stop", ("start", "stop"): "continue"}


def read_sound(element: Element, start: int, divisions: int) -> Sound:
    """
    Reads a note, which may be of a chord, or a rest.

    Args:
        element (`Element`): a `note`.
        start (`int`): ticks from the beginning of its bar.
        divisions (`int`): what its duration counts, to a quarter note.

    Raises:
        [`BeyondReader`]: it holds something else.
    """
    content = {child.tag: child for child in element}
    if not (content.keys() <= KNOWN and element.attrib.keys() <= SILENT):
        check_known(element, KNOWN, SILENT)
    if ("pitch" in content) == ("rest" in content) or ("rest" in content and content.keys() & {"tie", "grace"}):
        raise BeyondReader("a <note> that is neither a note nor a rest")
    return Sound(
        start,
        0 if "grace" in content else _length(content.get("duration"), divisions),
        (_read_pitch(content["pitch"], content.get("accidental")),) if "pitch" in content else (),
        _read_tie(element) if "tie" in content else None,
        "\n".join(map(_read_lyric, element.iterfind("lyric"))) if "lyric" in content else "",
        (content["voice"].text or "").strip() if "voice" in content else "",
        whole_number(content["staff"].text, "staff") if "staff" in content else ANY_STAFF,
        _read_notations(element) if "notations" in content else VELOCITY,
    )


def read_length(element: Element, divisions: int) -> int:
    """
    Reads a duration, in ticks.

    Raises:
        [`BeyondReader`]: it is 0 or no whole number of ticks.
    """
    return _length(element.find("duration"), divisions)


def _length(element: Element | None, divisions: int) -> int:
    duration = whole_number(None if element is None else element.text, "duration")
    ticks, rest = divmod(duration * TICKS_A_QUARTER, divisions)
    if duration < 1 or rest:
        raise BeyondReader(f"a duration of {duration} where a quarter note has {divisions}")
    return ticks


def chord_of(notes: list[Sound]) -> Sound:
    """
    Joins notes into a chord.

    Raises:
        [`BeyondReader`]: they are not of one length, voice and staff, or some are rests.
    """
    first = notes[0]
    if any(note.velocity != VELOCITY for note in notes):
        raise BeyondReader("a <chord> with articulations")
    if len({(note.length, note.voice, note.staff) for note in notes}) > 1 or not all(note.pitches for note in notes):
        raise BeyondReader("a <chord> of unlike notes")
    pitches = tuple(pitch for note in notes for pitch in note.pitches)
    tie = next((note.tie for note in notes if note.tie), None)
    lyric = "\n".join(note.lyric for note in notes if note.lyric)
    return Sound(first.start, first.length, pitches, tie, lyric, first.voice, first.staff)


def _read_pitch(element: Element, accidental: Element | None) -> Pitch:
    sign = None if accidental is None else accidental.text
    return _pitch(element.findtext("step"), element.findtext("alter"), element.findtext("octave"), sign)


@lru_cache
def _pitch(step: str | None, alter: str | None, octave: str | None, accidental: str | None) -> Pitch:
    """An accidental that is written counts, and has to say the same as `alter`."""
    if step not in STEPS or accidental not in (None, *ACCIDENTALS):
        raise BeyondReader(f"step {step!r} with accidental {accidental!r}")
    shift = None if alter is None else whole_number(alter, "alter")
    if accidental is None and shift is not None:
        accidental = NAMES.get(shift)
    height = 0 if accidental is None else ACCIDENTALS[accidental]
    midi = 12 * (whole_number(octave, "octave") + 1) + STEPS[step] + height
    if shift not in (None, height) or not 0 <= midi < 128:
        raise BeyondReader(f"step {step!r} of octave {octave} with alter {alter} and accidental {accidental!r}")
    return Pitch(step, int(octave or 0), accidental, midi)


def _read_tie(element: Element) -> str:
    types = tuple(sorted(tie.get("type", "") for tie in element.iterfind("tie")))
    if types not in TIES:
        raise BeyondReader(f"ties {', '.join(types)} of one note")
    return TIES[types]


def _read_lyric(element: Element) -> str:
    """Its syllable, or several that are sung on one note, with what stands between them."""
    check_known(element, {"syllabic", "text", "elision", "extend"})
    texts, elisions = element.findall("text"), element.findall("elision")
    if len(texts) < 2:
        return text_of(element, "text", "")
    if len(elisions) != len(texts) - 1 or len(element.findall("syllabic")) < len(texts):
        raise BeyondReader("a <lyric> of several texts and not as many elisions")
    between = [elision.text or "" for elision in elisions]
    return "".join(one + (text.text or "").strip() for one, text in zip(["", *between], texts, strict=True))


def _read_notations(element: Element) -> int:
    """How loud the note is played that has them."""
    marks = []
    for notations in element.iterfind("notations"):
        check_known(notations, NOTATIONS)
        for articulations in notations.iterfind("articulations"):
            check_known(articulations, ARTICULATIONS.keys())
            marks += [mark.tag for mark in articulations]
        for ornaments in notations.iterfind("ornaments"):
            check_known(ornaments, ORNAMENTS)
    if len(marks) > 1 or (marks and element.find("grace") is not None):
        raise BeyondReader(f"a <note> with {', '.join(marks)}")
    return ARTICULATIONS[marks[0]] if marks else VELOCITY
