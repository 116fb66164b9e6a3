"""
What an id does among the notes of one onset: a program's notes stand together, pitches go up, no note comes twice.

Every program has a floor at the onset, and may sound what lies above it.
"""

import numpy as np

from .base_tokens import BaseTokens

FRESH, CHORD, BARRED, ALWAYS = -2, -1, 1000, 2000
"""Beside pitches: the floor under a chord and all notes, the floor under notes, the floor that nothing lies above, and
what lies above every floor."""

NONE, CURRENT = 0, -1
"""Beside programs: no program, as none was named at the onset yet, and the one named last before an id."""

SOLO = 1
"""The program of tokenizers that name none."""

PITCH_TYPES = ("Pitch", "PitchDrum")


class Programs:
    """
    The programs of a tokenizer, numbered from 1, ascending and drums last, and the pitches that they sound.

    Attributes:
        unnamed (`int`): the program where none was named at the onset: `NONE`, or `SOLO`.
        number (`dict[int, int]`): of the program that a column names.
        pitch (`dict[int, tuple[int, int]]`): that a column sounds, and its type as an index of `PITCH_TYPES`.
    """

    def __init__(self, tokens: BaseTokens):
        columns = np.flatnonzero(tokens.of("Program"))
        self._columns = columns[np.argsort(tokens.values[columns].astype(int) % 256)]
        has_drum_pitches = tokens.of("PitchDrum").any()
        self._pitch_types = (tokens.of("Program_-1")[self._columns] & has_drum_pitches).astype(int)
        self.unnamed = NONE if len(columns) else SOLO
        self.number = {column: number for number, column in enumerate(self._columns.tolist(), 1)}
        self.pitch = {
            column: (int(tokens.values[column]), index)
            for index, name in enumerate(PITCH_TYPES)
            for column in np.flatnonzero(tokens.of(name)).tolist()
        }

    def tops(self, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """
        The highest pitches where only some base tokens may be used, `FRESH` where there are none.

        Args:
            allowed (`np.ndarray` of shape `(masks, columns)`): those base tokens, one way or another.

        Returns:
            Arrays of shapes `(masks, programs + 1)`, of each program, and `(masks, 2)`, of each type of pitch.
        """
        by_type = np.full((len(allowed), len(PITCH_TYPES)), FRESH)
        for column, (pitch, index) in self.pitch.items():
            by_type[:, index] = np.maximum(by_type[:, index], np.where(allowed[:, column], pitch, FRESH))
        if self.unnamed == SOLO:
            by_program = by_type[:, :1]
        else:
            by_program = np.where(allowed[:, self._columns], by_type[:, self._pitch_types], FRESH)
        return np.pad(by_program, ((0, 0), (1, 0)), constant_values=FRESH), by_type


class OnsetWalk:
    """
    What an id does, found by walking through its base tokens.

    Args:
        ascending (`bool`): the programs of an onset come in their order.
        unnamed (`int`): as of [`Programs`].

    Attributes:
        checks (`list`): of `[program, value, floor]`. At the onset where the id begins, `value` must lie above the
            floor of `program`; above `floor` if that is the current program, unless `floor` is `None`. If `value` is
            `None`, the id ends there, and the highest pitch of the program must.
        floors (`dict[int, int]`): of programs, at the onset where the id ends.
        program (`int`): the one named last there.
        moved (`bool`): those are two onsets.
        legal (`bool`): the id keeps the rules by itself.
        wants_pitch (`bool`): it ends with a program or a chord.
        wants_program (`bool`): it ends with the shift by which Structured adds a note to an onset.
        last_pitch (`tuple[int, int]`): that it sounds at the onset where it ends, and the pitch's type.
    """

    def __init__(self, ascending: bool, unnamed: int):
        self.ascending, self.unnamed = ascending, unnamed
        self.checks, self.legal, self.moved = [], True, False
        self.floors, self.program = {}, CURRENT
        self.wants_pitch, self.wants_program, self.last_pitch = False, False, (ALWAYS, 0)

    def move(self):
        """To another onset."""
        self.floors, self.program, self.moved = {}, self.unnamed, True
        self.wants_pitch, self.wants_program, self.last_pitch = False, False, (ALWAYS, 0)

    def stay(self):
        """Structured: another note at the same onset."""
        self.wants_program = True

    def name(self, program: int):
        """A program."""
        self.wants_pitch, self.wants_program = True, False
        if program == self.program:
            return
        self.legal &= self.floors.get(program, FRESH) == FRESH
        if not self.moved:
            self.checks.append([program, None, self.floors.get(CURRENT) if self.program == CURRENT else BARRED])
        if self.ascending:
            self.floors.update(dict.fromkeys(range(1, program), BARRED))
        elif self.program not in (NONE, CURRENT):
            self.floors[self.program] = BARRED
        self.program = program

    def sound(self, value: int, pitch_type: int):
        """A pitch, or `CHORD`."""
        if self.program == CURRENT and CURRENT not in self.floors:
            self.checks.append([CURRENT, value, None])
        elif not self.moved and self.checks and self.checks[-1][1] is None:
            self.checks[-1][1] = value
        else:
            self.legal &= value > self.floors.get(self.program, FRESH)
        self.floors[self.program] = value
        self.wants_pitch, self.wants_program, self.last_pitch = value == CHORD, False, (value, pitch_type)


def walk_onsets(tokens: BaseTokens, programs: Programs, *, ascending: bool) -> list[OnsetWalk]:
    """The walk of every id. `ascending` as of [`OnsetWalk`]."""
    walks = []
    for columns in tokens.expansions.tolist():
        walk = OnsetWalk(ascending, programs.unnamed)
        for column in columns:
            _step(walk, column, tokens, programs)
        walks.append(walk)
    return walks


def _step(walk: OnsetWalk, column: int, tokens: BaseTokens, programs: Programs):
    kind = tokens.types[column]
    if tokens.words[column] == "TimeShift_0.0.1":
        walk.stay()
    elif kind in ("Bar", "Position", "TimeShift", "BOS"):
        walk.move()
    elif kind == "Program":
        walk.name(programs.number[column])
    elif kind == "Chord":
        walk.sound(CHORD, 0)
    elif kind in PITCH_TYPES:
        walk.sound(*programs.pitch[column])
