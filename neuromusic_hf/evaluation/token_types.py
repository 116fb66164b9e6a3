"""What kind of thing each token of a vocabulary says: a pitch, a duration, a position."""

import re
from dataclasses import dataclass

import torch

from ..tokenization import MidiProcessor

SPECIAL = "special"
"""Tokens without music, such as that for the end of a piece."""

SEVERAL = "several"
"""Tokens of a learned vocabulary that say things of more than one kind."""


@dataclass(frozen=True, eq=False)
class TokenTypes:
    """
    The type of every id of a vocabulary.

    Args:
        names (`tuple[str, ...]`): of the types, in snake case, such as `"pitch"` or `"time_signature"`.
        of_ids (`torch.Tensor` of shape `(vocab_size,)`): the index of its name, for every id.
    """

    names: tuple[str, ...]
    of_ids: torch.Tensor

    @classmethod
    def of(cls, processor: MidiProcessor) -> "TokenTypes":
        """Those of miditok's base tokens; in a learned vocabulary, where all that a token says is of one type."""
        named = [_name({kind for kind, _ in words}) for words in processor.base_words]
        names = tuple(sorted(set(named)))
        return cls(names, torch.tensor([names.index(name) for name in named]))

    def sums(self, labels: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        """
        Sums values over the tokens of each type.

        Args:
            labels (`torch.Tensor` of shape `(batch, length)`): ids; the values of others count for any type.
            values (`torch.Tensor` of shape `(batch, length)`): what is summed, 0 where no id is.

        Returns:
            `torch.Tensor` (float64) of shape `(batch, len(values) * len(names))`: all types of the first one, and so
            on.
        """
        types = self.of_ids.to(labels.device)[labels.clamp(0, len(self.of_ids) - 1)]
        empty = torch.zeros(len(labels), len(self.names), dtype=torch.float64, device=labels.device)
        return torch.cat([empty.scatter_add(1, types, each.double()) for each in values], dim=1)


def _name(kinds: set[str]) -> str:
    if len(kinds) != 1:
        return SEVERAL if kinds else SPECIAL
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kinds.pop()).lower()
