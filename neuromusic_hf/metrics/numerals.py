"""Roman numerals of chords, as music21 names them: looked up in a table that music21 filled."""

from functools import lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np

from .keys import KEYS, Key

NUM_CHORD_PITCHES = 4

TABLE_PATH = Path(__file__).with_name("roman_numerals.npz")
"""Made by `scripts/build_numeral_table.py`."""

CHORDS = tuple(above for size in range(NUM_CHORD_PITCHES) for above in combinations(range(1, 12), size))
"""All chords of at most four pitch classes: the others' semitones above the bass, in any octave."""


@lru_cache(maxsize=1)
def load_table() -> tuple[np.ndarray, np.ndarray]:
    """
    Reads the numerals of all chords in all keys.

    Returns:
        `tuple`: the words, and for each of [`KEYS`], pitch class of the bass and one of [`CHORDS`] the index of its
        word, shape `(24, 12, 232)`.
    """
    with np.load(TABLE_PATH) as table:
        return table["words"].astype(object), table["numerals"]


def roman_numerals(key: Key, bass: np.ndarray, above: np.ndarray) -> list[str]:
    """
    Names chords in a key.

    Args:
        key ([`Key`]): the key.
        bass (`np.ndarray` of shape `(chords,)`): lowest pitch, or its pitch class.
        above (`np.ndarray` of shape `(chords,)`):
            The other pitches: bit i is set where one sounds i semitones above the bass, octaves left out. At most
            three of the bits 1 to 11; bit 0 is ignored.

    Returns:
        `list[str]`: numeral and inversion (`V65`, `bVI53`).

    Raises:
        `ValueError`: a chord has more than four pitch classes.
    """
    words, table = load_table()
    chords = _CHORD_OF_BITS[above >> 1]
    if (chords < 0).any():
        raise ValueError(f"A chord has more than {NUM_CHORD_PITCHES} pitch classes: choose four of its pitches.")
    return words[table[KEYS.index(key), bass % 12, chords]].tolist()


def _chord_of_bits() -> np.ndarray:
    """Index in [`CHORDS`] of each set of semitones from 1 to 11, as bits from bit 0 up; -1 if it is none of them."""
    chords = np.full(2**11, -1)
    for index, above in enumerate(CHORDS):
        chords[sum(1 << (semitones - 1) for semitones in above)] = index
    return chords


_CHORD_OF_BITS = _chord_of_bits()
