"""Text of any script as letters that a picture can show."""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass

from matplotlib import ft2font
from matplotlib.font_manager import FontEntry, findfont, fontManager
from matplotlib.ft2font import FT2Font

FIRST_FAMILY = "DejaVu Sans"
"""Comes with matplotlib: Latin, Greek, Cyrillic, Hebrew, Arabic, Armenian, Georgian and many symbols."""

BLANK_FAMILIES = ("Last Resort", "Adobe Blank")
"""They have every character, and show none."""

SHAPES = hasattr(ft2font, "__libraqm_version__")
"""Whether matplotlib joins letters and writes from right to left, as it does from 3.11 on."""

JOINERS = "\u200c\u200d"
REGULAR = 400

_family_of: dict[str, str | None] = {}
"""The other fonts of this machine that have been looked for, by character; `None` where there is none."""


@dataclass(frozen=True)
class Lettering:
    """
    A text as it is drawn.

    Args:
        text (`str`): in one line, of characters that the fonts have.
        families (`tuple[str, ...]`): of the fonts; where one lacks a character, the next is asked.
    """

    text: str
    families: tuple[str, ...]


def letter(text: str) -> Lettering:
    """
    Gives a text as it can be drawn: in its own script if a font of this machine has it, else in Latin letters.

    Args:
        text (`str`): anything. What cannot be seen is left out, white space and controls become blanks.
    """
    text = " ".join("".join(map(_visible, unicodedata.normalize("NFC", text))).split())
    _look_for_fonts({character for character in text if _is_written(character) and not _is_at_hand(character)})
    drawn = "".join(character if _is_drawn(character) else _in_latin(character) for character in text)
    if text and not drawn.strip():  # letters that are silent, or that nobody has written in Latin
        drawn = " ".join(f"U+{ord(character):04X}" for character in text)
    others = (_family_of[character] for character in drawn if not _is_at_hand(character))
    return Lettering(drawn, (FIRST_FAMILY, *dict.fromkeys(filter(None, others))))


def shorten(text: str, length: int) -> str:
    """The first characters of a text and an ellipsis, `length` in all at most; no letter is parted from its marks."""
    if len(text) <= length:
        return text
    end = max(0, length - 1)
    while end and (unicodedata.category(text[end])[0] == "M" or text[end] in JOINERS):
        end -= 1
    return text[:end].rstrip() + "…"


def shorten_middle(text: str, length: int) -> str:
    """As [`shorten`], but half of what is left are the last characters: for names that begin alike."""
    if len(text) <= length:
        return text
    end = text[len(text) - length // 2 :]
    while end and (unicodedata.category(end[0])[0] == "M" or end[0] in JOINERS):
        end = end[1:]
    return shorten(text, length - len(end)) + end.lstrip()


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":
        return character if character in JOINERS else ""
    if category == "Cc":
        return " "
    return "\ufffd" if category[0] == "C" else character


def _is_written(character: str) -> bool:
    """Whether matplotlib can write its script, given a font."""
    return SHAPES or unicodedata.bidirectional(character) not in ("R", "AL")


def _is_at_hand(character: str) -> bool:
    return _is_written(character) and ord(character) in _first_characters()


@functools.cache
def _first_characters() -> frozenset[int]:
    return frozenset(FT2Font(findfont(FIRST_FAMILY)).get_charmap())


def _is_drawn(character: str) -> bool:
    return _is_at_hand(character) or _family_of.get(character) is not None


def _look_for_fonts(characters: set[str]):
    """Finds a family for each character that has not been looked for, first among those found before."""
    wanted = {character for character in characters if character not in _family_of}
    found = set(_family_of.values())
    fonts = sorted(fontManager.ttflist, key=lambda font: font.name not in found)
    for font in fonts:
        if not wanted:
            return
        covered = _covered(font, wanted)
        _family_of.update(dict.fromkeys(covered, font.name))
        wanted -= covered
    _family_of.update(dict.fromkeys(wanted))


def _covered(font: FontEntry, characters: set[str]) -> set[str]:
    if font.style != "normal" or font.weight != REGULAR or font.name.startswith(BLANK_FAMILIES):
        return set()
    try:
        face = FT2Font(font.fname)
    except (OSError, RuntimeError):  # it was removed, or is damaged
        return set()
    return {character for character in characters if face.scalable and face.get_char_index(ord(character))}


def _in_latin(character: str) -> str:
    from anyascii import anyascii  # most texts need none of its tables

    return anyascii(character)
