"""Fills the table of [`roman_numerals`]: music21 names every chord in every key, once and for all."""

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from music21.chord import Chord
from music21.key import Key as Music21Key
from music21.pitch import Pitch
from music21.roman import RomanNumeral, romanNumeralFromChord
from tqdm import tqdm

from .keys import KEYS, TONIC_NAMES, Key
from .numerals import CHORDS

OCTAVE_4 = 60


def name_chord(key: Key, pitches: Iterable[int]) -> str:
    """
    The word for a chord, from music21: numeral and inversion, without the figures that would make most chords unique.

    Args:
        key ([`Key`]): the key.
        pitches (`Iterable[int]`): MIDI pitches, spelled as music21 spells MIDI (C#, E-, F#, G#, B-).

    Returns:
        `str`: such as `V65`. Only triads and chords with a seventh have an inversion.
    """
    names = [Pitch(midi=pitch).nameWithOctave for pitch in pitches]
    numeral = romanNumeralFromChord(Chord(names), Music21Key(TONIC_NAMES[key.mode][key.tonic], key.mode))
    return numeral.romanNumeral + (str(numeral.inversionName()) if _has_inversion(numeral) else "")


def _has_inversion(numeral: RomanNumeral) -> bool:
    inversion = numeral.inversion()
    seventh = numeral.seventh is not None or numeral.isSeventh()
    return (numeral.isTriad() and inversion < 3) or (seventh and inversion < 4)


def build_table(path: Path):
    """Writes the table: 24 keys, 12 basses, 232 chords."""
    names = [
        name_chord(key, [OCTAVE_4 + bass + semitones for semitones in (0, *above)])
        for key in tqdm(KEYS, desc="Keys")
        for bass in range(12)
        for above in CHORDS
    ]
    words, word_of_name = np.unique(names, return_inverse=True)
    numerals = word_of_name.astype(np.uint16).reshape(len(KEYS), 12, len(CHORDS))
    np.savez_compressed(path, words=words, numerals=numerals, music21=version("music21"))
