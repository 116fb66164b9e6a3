"""The programs of a tokenizer by their numbers, and the pitches that they sound."""

import numpy as np

from .base_tokens import BaseTokens

NONE, CURRENT = 0, -1
"""Beside programs: no program, as none was named at the onset yet, and the one named last before an id."""

SOLO = 1
"""The program of tokenizers that name none."""

PITCH_TYPES = ("Pitch", "PitchDrum")

FRESH, CHORD, BARRED, ALWAYS = -2, -1, 1000, 2000
"""Levels beside pitches: the floor under a chord and all notes, the floor under notes, the floor that nothing lies
above, and what lies above every floor."""


class Programs:
    """
    The programs of a tokenizer, numbered from 1, ascending and drums last.

    Args:
        tokens ([`BaseTokens`]): of the tokenizer.

    Attributes:
        slots (`int`): number of programs, with `NONE`.
        unnamed (`int`): the program where none was named at the onset: `NONE`, or `SOLO`.
        number (`dict[int, int]`): of the program that a column names.
        pitch (`dict[int, tuple[int, int]]`): that a column sounds, and its type as an index of `PITCH_TYPES`.
    """

    def __init__(self, tokens: BaseTokens):
        self._columns = sorted(tokens.columns("Program"), key=lambda column: int(tokens.values[column]) % 256)
        drums_alone = tokens.of("Program_-1") & tokens.of("PitchDrum").any()
        self._pitch_types = drums_alone[self._columns].astype(int)
        self.slots = 1 + (len(self._columns) or SOLO)
        self.unnamed = NONE if self._columns else SOLO
        self.number = {column: number for number, column in enumerate(self._columns, 1)}
        self.pitch = {
            column: (int(tokens.values[column]), index)
            for index, name in enumerate(PITCH_TYPES)
            for column in tokens.columns(name)
        }

    def tops(self, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """
        The highest pitches where only some base tokens may be used, `FRESH` where there are none.

        Args:
            allowed (`np.ndarray` of shape `(masks, columns)`): those base tokens, one way or another.

        Returns:
            `tuple[np.ndarray, np.ndarray]` of shapes `(masks, slots)`, of each program, and `(masks, 2)`, of each type
            of pitch.
        """
        by_type = np.full((len(allowed), len(PITCH_TYPES)), FRESH)
        for column, (pitch, index) in self.pitch.items():
            by_type[:, index] = np.maximum(by_type[:, index], np.where(allowed[:, column], pitch, FRESH))
        if self.unnamed == SOLO:
            by_program = by_type[:, :1]
        else:
            by_program = np.where(allowed[:, self._columns], by_type[:, self._pitch_types], FRESH)
        return np.pad(by_program, ((0, 0), (1, 0)), constant_values=FRESH), by_type
