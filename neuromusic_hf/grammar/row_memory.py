"""What rows were read last, so that a step of decoding reads what is new."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import torch

ROW_HASH = 0x9E3779B97F4A7C15 - 2**64
"""An odd number whose powers weigh the ids of a row in its hash."""


State = TypeVar("State", bound="RowState")


class RowState(Protocol):
    """Where each row of a batch is."""

    def select(self: State, rows: torch.LongTensor) -> State:
        """The state of other rows."""


class RowMemory(Generic[State]):
    """The rows that were read last, and the state to which they led."""

    def __init__(self):
        self._last: tuple[torch.Tensor, State] | None = None

    def keep(self, rows: torch.LongTensor, state: State):
        """Keeps a copy of rows of shape `(batch, length)`, and the state after them."""
        self._last = rows.clone(), state

    def forget(self):
        """Knows no rows any more."""
        self._last = None

    def recall(self, rows: torch.LongTensor) -> tuple[State | None, int]:
        """
        The state after as many ids as were seen last, where rows go on from those, in whatever order.

        Returns:
            `tuple[State | None, int]`: the state of the rows, and after how many ids; `None` and 0 where they are new.
        """
        if self._last is not None:
            seen, state = self._last
            length = seen.shape[1]
            beginnings = rows[:, :length]
            if torch.equal(beginnings, seen):
                return state, length
            if 0 < length <= rows.shape[1]:
                parents = _likely_rows(beginnings, seen)
                if torch.equal(beginnings, seen[parents]):
                    return state.select(parents), length
        return None, 0


def _likely_rows(rows: torch.LongTensor, seen: torch.LongTensor) -> torch.LongTensor:
    """For each of `rows` the first of `seen` with the same hash, if any: shape `(batch,)`."""
    weights = torch.full((rows.shape[1],), ROW_HASH, device=rows.device).cumprod(dim=0)
    keys, seen_keys = ((each * weights).sum(dim=1) for each in (rows, seen))
    return (keys[:, None] == seen_keys).int().argmax(dim=1)
