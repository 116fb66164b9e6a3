"""A rule as a finite automaton over base tokens, and the same automaton over ids, which are paths of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from .base_tokens import FILL, BaseTokens
from .tensor_group import TensorGroup


@dataclass
class Automaton:
    """
    A finite automaton. State 0 is the beginning of a piece.

    A token also leads somewhere where it is not allowed, as a decoder would go on, so that any prompt can be followed.

    Args:
        next (`np.ndarray` of shape `(states, columns)`): the state a token leads to, allowed or not.
        legal (`np.ndarray` of shape `(states, columns)`): whether it is allowed.
    """

    next: np.ndarray
    legal: np.ndarray

    @classmethod
    def idle(cls, states: int, tokens: BaseTokens) -> "Automaton":
        """Everything is allowed and leads nowhere, save that BOS begins anew."""
        following = np.repeat(np.arange(states)[:, None], len(tokens.words), axis=1)
        following[:, tokens.of("BOS")] = 0
        return cls(following, np.ones(following.shape, dtype=bool))

    def over_vocabulary(self, tokens: BaseTokens) -> "Automaton":
        """
        The same automaton over ids: it allows those whose whole path it allows, and goes where that leads.

        Returns:
            [`Automaton`] whose columns are ids.
        """
        following = np.repeat(np.arange(len(self.next))[:, None], len(tokens.expansions), axis=1)
        legal = np.ones(following.shape, dtype=bool)
        matters = self._columns_that_matter() & (tokens.words != FILL)
        for columns in tokens.expansions.T:  # the first base token of every id, then the second
            ids = np.flatnonzero(matters[columns])
            states, columns = following[:, ids], columns[ids]
            legal[:, ids] &= self.legal[states, columns]
            following[:, ids] = self.next[states, columns]
        return Automaton(following, legal)

    def _columns_that_matter(self) -> np.ndarray:
        stays = (self.next == np.arange(len(self.next))[:, None]).all(axis=0)
        return ~(stays & self.legal.all(axis=0))


@dataclass(frozen=True, eq=False, repr=False)
class AutomatonTables(TensorGroup):
    """
    Automata over ids, one below the other: a place is a state of one of them, as a row of the tables.

    Args:
        begin (`torch.LongTensor` of shape `(automata,)`): where a piece begins.
        next (`torch.ShortTensor` of shape `(places, vocabulary)`): where an id leads.
        legal (`torch.ByteTensor` of shape `(places, vocabulary)`): 1 where an id is allowed.
    """

    begin: torch.Tensor
    next: torch.Tensor
    legal: torch.Tensor

    @classmethod
    def stack(cls, automata: Sequence[Automaton], begin: Sequence[int]) -> "AutomatonTables":
        """The tables of automata over ids that begin in these states."""
        first = np.cumsum([0, *(len(automaton.next) for automaton in automata)])
        following = np.concatenate([automaton.next + row for automaton, row in zip(automata, first[:-1], strict=True)])
        legal = np.concatenate([automaton.legal for automaton in automata])
        return cls(
            begin=torch.from_numpy(first[:-1] + begin),
            next=torch.from_numpy(following.astype(np.int16 if len(following) < 2**15 else np.int32)),
            legal=torch.from_numpy(legal.astype(np.uint8)),
        )

    def advance(self, places: torch.LongTensor, ids: torch.LongTensor) -> torch.LongTensor:
        """The places after one more id a row: of shape `(batch, automata)`, as `places` are."""
        return self.next[places, ids[:, None]].long()

    def allowed(self, places: torch.LongTensor) -> torch.BoolTensor:
        """The ids that all automata allow at these places: shape `(batch, vocabulary)`."""
        rows = self.legal.index_select(0, places.flatten()).view(*places.shape, -1)
        return rows.amin(dim=1).view(torch.bool)
