"""
The walks of ids through the notes of an onset ([`OnsetWalk`]) as tensors. Floors are floats, which torch gathers
fastest.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch

from .onset_walk import ALWAYS, BARRED, CURRENT, FRESH, NONE, OnsetWalk, Programs


class TensorGroup:
    """A dataclass of tensors."""

    def to(self, device: torch.device | str):
        """The same on another device."""
        return type(self)(*(getattr(self, entry.name).to(device) for entry in fields(self)))


@dataclass(frozen=True, eq=False, repr=False)
class NoteLimits(TensorGroup):
    """
    What the rules of the notes come to where only some ids may be used: a program is named only where it has something
    left to sound.

    Args:
        top (`torch.FloatTensor` of shape `(masks, programs + 1)`): the highest pitches of the programs.
        need (`torch.FloatTensor` of shape `(masks, vocabulary)`): what must lie above the floor of the first check.
        goes_on (`torch.BoolTensor` of shape `(masks, vocabulary)`): no other program needs something left to sound.
    """

    top: torch.Tensor
    need: torch.Tensor
    goes_on: torch.Tensor

    @classmethod
    def compile(
        cls, walks: list[OnsetWalk], programs: Programs, allowed: np.ndarray
    ) -> tuple["NoteLimits", np.ndarray]:
        """
        Args:
            walks (list of [`OnsetWalk`]): one an id.
            programs ([`Programs`]): of the tokenizer.
            allowed (`np.ndarray` of shape `(masks, columns)`): base tokens that may be used.

        Returns:
            `tuple[NoteLimits, np.ndarray]`: the limits, and which ids may follow while a program is current, by their
            checks but the first: shape `(masks, programs + 1, vocabulary)`.
        """
        top, top_of_type = programs.tops(allowed)
        asked = np.array([walk.program if walk.wants_pitch and walk.program > NONE else NONE for walk in walks])
        floors = [walk.floors.get(program, FRESH) for walk, program in zip(walks, asked.tolist(), strict=True)]
        legal = np.array([walk.legal for walk in walks]) & ((top[:, asked] > floors) | (asked == NONE))
        for index, walk in enumerate(walks):
            if walk.wants_program and walk.moved:
                legal[:, index] &= (top > _floors_of(walk, top.shape[1])).any(axis=1)

        values = np.array([walk.checks[0][1] if walk.checks else ALWAYS for walk in walks], dtype=float)
        need = np.where(np.isnan(values), top[:, asked], values)
        pitches, types = np.array([walk.last_pitch for walk in walks]).T
        wants_program = np.array([walk.wants_program and not walk.moved for walk in walks])
        limits = cls(
            top=torch.from_numpy(top).float(),
            need=torch.from_numpy(np.where(legal, need, FRESH)).float(),
            goes_on=torch.from_numpy(~wants_program | (pitches < top_of_type[:, types])),
        )
        return limits, _later_checks(walks, top)

    def select(self, masks: torch.LongTensor) -> "NoteLimits":
        """Those of other masks."""
        return NoteLimits(self.top[masks], self.need[masks], self.goes_on[masks])


def _floors_of(walk: OnsetWalk, num_programs: int) -> np.ndarray:
    floors = np.full(num_programs, FRESH)
    for program, floor in walk.floors.items():
        floors[max(program, NONE)] = floor
    floors[NONE] = FRESH
    return floors


def _later_checks(walks: list[OnsetWalk], top: np.ndarray) -> np.ndarray:
    legal = np.ones((*top.shape, len(walks)), dtype=bool)
    for index, walk in enumerate(walks):
        for program, value, floor in walk.checks[1:]:
            legal[:, program, index] &= (top[:, program] if value is None else value) > floor
    return legal


@dataclass(frozen=True, eq=False, repr=False)
class NoteRules(TensorGroup):
    """
    What ids do to the floors of programs, and what they ask of them.

    The first check of an id is in `slot`, and in [`NoteLimits`]. Others, which only trained ids have, are of programs
    that must not have sounded at the onset yet: those are in `later`.

    Args:
        floors (`torch.FloatTensor` of shape `(vocabulary, programs + 1)`): that ids leave to programs.
        left (`torch.FloatTensor` of shape `(programs + 1, vocabulary)`):
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
    def compile(cls, walks: list[OnsetWalk], num_programs: int) -> "NoteRules":
        """
        Args:
            walks (list of [`OnsetWalk`]): one an id.
            num_programs (`int`): with `NONE`.
        """
        left = np.full((num_programs, len(walks)), FRESH)
        for index, walk in enumerate(walks):
            named = [program for program, _, _ in walk.checks if program != CURRENT]
            if not walk.moved:
                left[:, index] = BARRED if named else walk.floors.get(CURRENT, FRESH)
                left[named[:1], index] = walk.floors.get(CURRENT, FRESH)
        left[NONE] = FRESH
        first = [walk.checks[0][0] if walk.checks else NONE for walk in walks]
        return cls(
            floors=torch.from_numpy(np.stack([_floors_of(walk, num_programs) for walk in walks])).float(),
            left=torch.from_numpy(left).float(),
            ceiling=torch.tensor([[FRESH if walk.moved else ALWAYS] for walk in walks]).float(),
            slot=torch.tensor([num_programs if program == CURRENT else program for program in first]),
            later=ProgramSets.compile([{check[0] for check in walk.checks[1:]} for walk in walks], num_programs),
            spared=ProgramSets.compile([_spared(walk, num_programs) for walk in walks], num_programs + 1),
        )

    def begin(self, batch_size: int) -> torch.FloatTensor:
        """The floors where there is no note yet: shape `(batch, programs + 1)`."""
        return self.floors.new_full((batch_size, self.floors.shape[1]), FRESH)

    def advance(
        self, floors: torch.FloatTensor, program: torch.LongTensor, ids: torch.LongTensor
    ) -> torch.FloatTensor:
        """
        The floors after one more id a row.

        Args:
            floors (`torch.FloatTensor` of shape `(batch, programs + 1)`): before it.
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
            floors (`torch.FloatTensor` of shape `(batch, programs + 1)`): of the programs.
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


def _spared(walk: OnsetWalk, num_programs: int) -> set[int]:
    if walk.moved or not walk.wants_program:
        return set()
    spared = set(range(1, num_programs + 1)) - set(walk.floors)
    return spared - {num_programs} if walk.checks else spared


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
    def compile(cls, sets: list[set[int]], num_programs: int) -> "ProgramSets":
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
