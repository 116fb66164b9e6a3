"""What the rules of an onset's notes come to where only some ids may be used."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from .onset_walk import OnsetWalk
from .programs import ALWAYS, FRESH, NONE, Programs
from .tensor_group import TensorGroup


@dataclass(frozen=True, eq=False, repr=False)
class NoteLimits(TensorGroup):
    """
    A program is named only where it has something left to sound, which depends on the ids that may be used.

    Args:
        top (`torch.FloatTensor` of shape `(masks, slots)`): the highest pitches of the programs.
        need (`torch.FloatTensor` of shape `(masks, vocabulary)`): what must lie above the floor of the first check.
        goes_on (`torch.BoolTensor` of shape `(masks, vocabulary)`): no other program needs something left to sound.
    """

    top: torch.Tensor
    need: torch.Tensor
    goes_on: torch.Tensor

    @classmethod
    def compile(cls, walks: Sequence[OnsetWalk], programs: Programs, allowed: np.ndarray) -> "NoteLimits":
        """
        The limits of ids in one way or several.

        Args:
            walks (sequence of [`OnsetWalk`]): one an id.
            programs ([`Programs`]): of the tokenizer.
            allowed (`np.ndarray` of shape `(masks, columns)`): base tokens that may be used.
        """
        top, top_of_type = programs.tops(allowed)
        asked = np.array([walk.program if walk.wants_pitch and walk.program > NONE else NONE for walk in walks])
        legal = _can_go_on(walks, asked, top)
        pitches, types = np.array([walk.last_pitch for walk in walks]).T
        wants_program = np.array([walk.wants_program and not walk.moved for walk in walks])
        return cls(
            top=torch.from_numpy(top).float(),
            need=torch.from_numpy(np.where(legal, _first_levels(walks, asked, top), FRESH)).float(),
            goes_on=torch.from_numpy(~wants_program | (pitches < top_of_type[:, types])),
        )

    def select(self, masks: torch.LongTensor) -> "NoteLimits":
        """Those of other masks."""
        return NoteLimits(self.top[masks], self.need[masks], self.goes_on[masks])


def later_checks(walks: Sequence[OnsetWalk], top: np.ndarray) -> np.ndarray:
    """
    Which ids may follow while a program is current, by their checks but the first.

    Args:
        walks (sequence of [`OnsetWalk`]): one an id.
        top (`np.ndarray` of shape `(masks, slots)`): the highest pitches of the programs.

    Returns:
        `np.ndarray` of shape `(masks, slots, vocabulary)`.
    """
    legal = np.ones((*top.shape, len(walks)), dtype=bool)
    for index, walk in enumerate(walks):
        for check in walk.checks[1:]:
            level = top[:, check.program] if check.level is None else check.level
            legal[:, check.program, index] &= level > check.floor_if_current
    return legal


def floors_after(walk: OnsetWalk, slots: int) -> np.ndarray:
    """The floors that an id itself leaves to programs: shape `(slots,)`."""
    floors = np.full(slots, FRESH)
    for program, floor in walk.floors.items():
        if program > NONE:
            floors[program] = floor
    return floors


def _can_go_on(walks: Sequence[OnsetWalk], asked: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Which ids keep the rules by themselves and leave something to sound where they end: `(masks, vocabulary)`."""
    floors = [walk.floors.get(program, FRESH) for walk, program in zip(walks, asked.tolist(), strict=True)]
    legal = np.array([walk.legal for walk in walks]) & ((top[:, asked] > floors) | (asked == NONE))
    for index, walk in enumerate(walks):
        if walk.wants_program and walk.moved:
            legal[:, index] &= (top > floors_after(walk, top.shape[1])).any(axis=1)
    return legal


def _first_levels(walks: Sequence[OnsetWalk], asked: np.ndarray, top: np.ndarray) -> np.ndarray:
    """What the first check of each id wants above the floor; `ALWAYS` where there is none: `(masks, vocabulary)`."""
    first = [walk.checks[0].level if walk.checks else ALWAYS for walk in walks]
    levels = np.array([ALWAYS if level is None else level for level in first])
    return np.where([level is None for level in first], top[:, asked], levels)
