"""The four special tokens of infilling, which stand behind miditok's ids in a vocabulary."""

from collections.abc import Collection
from typing import NamedTuple

from transformers import PreTrainedTokenizerFast

INFILL_TOKENS = ("SUF_None", "PRE_None", "MID_None", "EOM_None")
"""In the order of [`InfillIds`]. Their ids follow those of miditok, so that a vocabulary can grow them at any time."""


class InfillIds(NamedTuple):
    """
    The ids of the four tokens.

    Args:
        suffix (`int`): before what follows the middle.
        prefix (`int`): before what precedes it.
        middle (`int`): before what is given of the middle, and before what is asked for.
        end (`int`): after what was asked for.
    """

    suffix: int
    prefix: int
    middle: int
    end: int


def find_infill_ids(tokenizer: PreTrainedTokenizerFast) -> InfillIds | None:
    """Those of a plain tokenizer; `None` where it lacks one."""
    vocabulary = tokenizer.get_vocab()
    ids = [vocabulary.get(token) for token in INFILL_TOKENS]
    return None if None in ids else InfillIds(*ids)


def lacking_infill_tokens(vocabulary: Collection[str]) -> list[str]:
    """Those that are not in a vocabulary, in their order."""
    return [token for token in INFILL_TOKENS if token not in vocabulary]


def add_infill_tokens(tokenizer: PreTrainedTokenizerFast):
    """Adds those that a plain tokenizer lacks, behind the ids it has."""
    if lacking := lacking_infill_tokens(tokenizer.get_vocab()):
        tokenizer.add_special_tokens({"extra_special_tokens": lacking}, replace_extra_special_tokens=False)
