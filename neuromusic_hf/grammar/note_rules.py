"""The walks of ids through the notes of an onset as tensors. Floors are floats, which torch gathers fastest."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from .note_limits import NoteLimits, floors_after
from .onset_walk import OnsetWalk
from .programs import ALWAYS, BARRED, CURRENT, FRESH, NONE
from .tensor_group import TensorGroup


@dataclass(frozen=True, eq=False, repr=False)
class NoteRules(TensorGroup):
    """
    What ids do to the floors of programs, and what they ask of them.

    The first check of an id is in `slot`, and in [`NoteLimits`]. Others, which only trained ids have, are of programs
    that must not have sounded at the onset yet: those are in `later`.

    Args:
        floors (`torch.FloatTensor` of shape `(vocabulary, slots)`): that ids leave to programs.
        left (`torch.FloatTensor` of shape `(slots, vocabulary)`):
            Floor that ids leave to the program that is current.
        ceiling (`torch.FloatTensor` of shape `(vocabulary, 1)`):
            Over all floors before the id; `FRESH` where it moves on.
        slot (`torch.LongTensor` of shape `(vocabulary,)`):
            Program of the first check, the last slot the current one's.
        later ([`ProgramSets`]): programs of the other checks.
        spared ([`ProgramSets`]):
            Programs that may sound after an id that wants another note at the onset, the last slot the current one's.
    """

    floors: torch.Tensor
    left: torch.Tensor
    ceiling: torch.Tensor
    slot: torch.Tensor
    later: "ProgramSets"
    spared: "ProgramSets"

    @classmethod
    def compile(cls, walks: Sequence[OnsetWalk], slots: int) -> "NoteRules":
        """
        The rules as the walks found them.

        Args:
            walks (sequence of [`OnsetWalk`]): one an id.
            slots (`int`): number of programs, with `NONE`.
        """
        first = [walk.checks[0].program if walk.checks else NONE for walk in walks]
        later = [{check.program for check in walk.checks[1:]} for walk in walks]
        return cls(
            floors=torch.from_numpy(np.stack([floors_after(walk, slots) for walk in walks])).float(),
            left=torch.from_numpy(_left_to_current(walks, slots)).float(),
            ceiling=torch.tensor([[FRESH if walk.moved else ALWAYS] for walk in walks]).float(),
            slot=torch.tensor([slots if program == CURRENT else program for program in first]),
            later=ProgramSets.compile(later, slots),
            spared=ProgramSets.compile([_spared(walk, slots) for walk in walks], slots + 1),
        )

    def begin(self, batch_size: int) -> torch.FloatTensor:
        """The floors where there is no note yet: shape `(batch, slots)`."""
        return self.floors.new_full((batch_size, self.floors.shape[1]), FRESH)

    def advance(
        self, floors: torch.FloatTensor, program: torch.LongTensor, ids: torch.LongTensor
    ) -> torch.FloatTensor:
        """
        The floors after one more id a row.

        Args:
            floors (`torch.FloatTensor` of shape `(batch, slots)`): before it.
            program (`torch.LongTensor` of shape `(batch,)`): current before it.
            ids (`torch.LongTensor` of shape `(batch,)`): one a row.
        """
        floors = torch.minimum(floors, self.ceiling[ids])
        floors = floors.scatter_reduce(1, program[:, None], self.left[program, ids][:, None], "amax")
        return torch.maximum(floors, self.floors[ids])

    def legal(self, floors: torch.FloatTensor, program: torch.LongTensor, limits: NoteLimits) -> torch.BoolTensor:
        """
        Which ids rows may take: shape `(batch, vocabulary)`.

        Args:
            floors (`torch.FloatTensor` of shape `(batch, slots)`): of the programs.
            program (`torch.LongTensor` of shape `(batch,)`): the current one.
            limits ([`NoteLimits`]): of one mask, or of each row.
        """
        current = program[:, None]
        legal = limits.need > torch.cat([floors, floors.gather(1, current)], dim=1).index_select(1, self.slot)
        if self.later.any():
            legal &= ~self.later.meet(floors == BARRED)
        if self.spared.any():
            left = limits.top > floors
            left = torch.cat([left.scatter(1, current, False), left.gather(1, current)], dim=1)
            legal &= limits.goes_on | self.spared.meet(left)
        return legal


def _left_to_current(walks: Sequence[OnsetWalk], slots: int) -> np.ndarray:
    """The floor that each id leaves to the program that is current before it: shape `(slots, vocabulary)`."""
    left = np.full((slots, len(walks)), FRESH)
    for index, walk in enumerate(walks):
        if walk.moved:
            continue
        sounded = walk.floors.get(CURRENT, FRESH)
        named = [check.program for check in walk.checks if check.program != CURRENT]
        left[:, index] = BARRED if named else sounded
        left[named[:1], index] = sounded
    left[NONE] = FRESH
    return left


def _spared(walk: OnsetWalk, slots: int) -> set[int]:
    if walk.moved or not walk.wants_program:
        return set()
    spared = set(range(1, slots + 1)) - set(walk.floors)
    return spared - {slots} if walk.checks else spared


@dataclass(frozen=True, eq=False, repr=False)
class ProgramSets(TensorGroup):
    """
    A set of programs for each id, each set kept once.

    Args:
        members (`torch.FloatTensor` of shape `(programs, sets)`): 1 where a program is in a set.
        set_of (`torch.LongTensor` of shape `(vocabulary,)`): the set of an id.
    """

    members: torch.Tensor
    set_of: torch.Tensor

    @classmethod
    def compile(cls, sets: Sequence[Collection[int]], num_programs: int) -> "ProgramSets":
        """From sets of numbers below `num_programs`."""
        number = {members: index for index, members in enumerate(dict.fromkeys(map(frozenset, [set(), *sets])))}
        table = torch.zeros(num_programs, len(number))
        for members, index in number.items():
            table[list(members), index] = 1
        return cls(table, torch.tensor([number[frozenset(members)] for members in sets]))

    def any(self) -> bool:
        """Whether there is a set that is not empty."""
        return self.members.shape[1] > 1

    def meet(self, programs: torch.BoolTensor) -> torch.BoolTensor:
        """
        Which ids have a program in their sets that rows have too.

        Args:
            programs (`torch.BoolTensor` of shape `(batch, programs)`): that rows have.

        Returns:
            `torch.BoolTensor` of shape `(batch, vocabulary)`.
        """
        return ((programs.float() @ self.members) > 0).index_select(1, self.set_of)
