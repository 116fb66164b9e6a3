"""
What an id does among the notes of one onset, found by walking along its path.

At an onset a program's notes stand together, pitches go up, and no note comes twice. So every program has a floor
there, and may sound what lies above it: `FRESH` before its first note, `CHORD` after a chord, then the pitch that it
sounded last, and `BARRED` once another program is named.
"""

from dataclasses import dataclass

from .base_tokens import BaseTokens
from .programs import ALWAYS, BARRED, CHORD, CURRENT, FRESH, NONE, PITCH_TYPES, Programs


@dataclass
class Check:
    """
    What an id asks of a program, at the onset where the id begins.

    Args:
        program (`int`): by its number; `CURRENT` for the one named last before the id.
        level (`int`, *optional*):
            The first that the id sounds of it, which must lie above its floor. `None` where the id ends before: then
            the highest pitch of the program must.
        floor_if_current (`int`, *optional*, defaults to `FRESH`):
            If it is the current program, the level must also lie above this floor, which the id has left to it.
    """

    program: int
    level: int | None
    floor_if_current: int = FRESH


class OnsetWalk:
    """
    The walk along the path of an id, one base token after the other.

    Args:
        ascending (`bool`): the programs of an onset come in their order.
        unnamed (`int`): as of [`Programs`].

    Attributes:
        checks (`list` of [`Check`]): of the onset where the id begins.
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
        self.checks: list[Check] = []
        self.floors: dict[int, int] = {}
        self.program, self.moved, self.legal = CURRENT, False, True
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
            left = self.floors.get(CURRENT, FRESH) if self.program == CURRENT else BARRED
            self.checks.append(Check(program, level=None, floor_if_current=left))
        if self.ascending:
            self.floors.update(dict.fromkeys(range(1, program), BARRED))
        elif self.program not in (NONE, CURRENT):
            self.floors[self.program] = BARRED
        self.program = program

    def sound(self, level: int, pitch_type: int):
        """A pitch, or `CHORD`."""
        if self.program == CURRENT and CURRENT not in self.floors:
            self.checks.append(Check(CURRENT, level))
        elif not self.moved and self.checks and self.checks[-1].level is None:
            self.checks[-1].level = level
        else:
            self.legal &= level > self.floors.get(self.program, FRESH)
        self.floors[self.program] = level
        self.wants_pitch, self.wants_program, self.last_pitch = level == CHORD, False, (level, pitch_type)


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
