"""
What a call of a pipeline asks for, and what becomes of each piece on its way through the model.

A [`Request`] holds for all pieces of a call. Each becomes a [`Job`], or a [`Refusal`] that says why not; a job, gone
through the model, is [`Generated`].
"""

import hashlib
import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, NamedTuple, Protocol, Self

import torch

from ..ranges import check_seed
from .control import Control
from .limits import before_padding

DEFAULT_NEW_TOKENS = 512
DRAWN_SEED_BITS = 32
ROOM_STEP = 64


@dataclass(frozen=True)
class Request:
    """
    What one call of a pipeline asks for.

    Args:
        control ([`Control`]): what new notes may be.
        seed (`int`, *optional*): drawn anew for every piece if not given.
        generation (`dict`): arguments of `model.generate()`.

    Raises:
        `ValueError`: a value is out of range.
    """

    control: Control
    seed: int | None = None
    generation: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.seed is not None:
            check_seed(self.seed)

    @classmethod
    def from_parameters(cls, parameters: dict) -> Self:
        """Sorts the arguments of a call: what no field of settings knows is for `generate()`."""
        rest = dict(parameters)
        settings = {entry.name: _take(entry.type, rest) for entry in fields(cls) if is_dataclass(entry.type)}
        return cls(**settings, seed=rest.pop("seed", None), generation=rest)

    def piece_seed(self) -> int:
        """That of a piece: as given, else drawn."""
        return secrets.randbits(DRAWN_SEED_BITS) if self.seed is None else self.seed


def _take(settings: Any, rest: dict) -> Any:
    """Settings of a class, whose arguments are taken out of the rest."""
    return settings(**{entry.name: rest.pop(entry.name) for entry in fields(settings) if entry.name in rest})


def round_room(tokens: int) -> int:
    """Rounds the tokens that may follow a prompt, so that prompts of nearly the same length go through together."""
    return tokens - tokens % ROOM_STEP if tokens > ROOM_STEP else tokens


@dataclass(frozen=True)
class Refusal:
    """An input of which nothing comes, and why: reasons are those of [`RefusedFile`]."""

    name: str
    reason: str
    detail: str

    def as_result(self) -> dict:
        """What stands for it in the results of a list."""
        return {"name": self.name, "skipped": {"reason": self.reason, "detail": self.detail}, "midi": None}


class HasIds(Protocol):
    """A prompt of any kind."""

    @property
    def ids(self) -> list[int]:
        """What the model reads."""


@dataclass(frozen=True)
class Job:
    """
    A prompt on its way through the model.

    Args:
        prompt: what to go on from; it has `ids`.
        programs (`set[int]`, *optional*): that new notes may be of; any if `None`.
        max_new_tokens (`int`): most tokens to add.
        seed (`int`): of the random numbers.
        rows (`int`, *optional*, defaults to 1): how many times to go on from it.
        first_row (`int`, *optional*, defaults to 0): the number of the first of them.
        part (`int`, *optional*, defaults to 0): the number of the job, where a piece has several, one after the other.
    """

    prompt: HasIds
    programs: set[int] | None
    max_new_tokens: int
    seed: int
    rows: int = 1
    first_row: int = 0
    part: int = 0

    @property
    def row_seeds(self) -> list[int]:
        """The seed of each row: by the prompt, `seed`, `part` and the row's number, and not by the batch."""
        read = ",".join(map(str, self.prompt.ids)) + (f":{self.part}" if self.part else "")
        texts = (f"{self.seed}:{self.first_row + row}:{read}" for row in range(self.rows))
        return [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1 for text in texts]


class Row(NamedTuple):
    """
    What was added to a prompt once.

    Args:
        ids (`list[int]`): before the one that ended it.
        ended_by (`int`, *optional*): that one.
        entropy (`float`): of the model's own distribution over the next token, mean in nats; `nan` if not measured.
    """

    ids: list[int]
    ended_by: int | None
    entropy: float


@dataclass(frozen=True)
class Generated:
    """
    What was generated for one prompt.

    Args:
        job ([`Job`]): what was asked for.
        new_ids (`torch.LongTensor` of shape `(rows, new tokens)`): with PAD after their end.
        entropies (`torch.FloatTensor` of shape `(rows, new tokens)`): in nats; `nan` if not measured.
        seconds (`float`): the batch took, divided by its prompts.
    """

    job: Job
    new_ids: torch.LongTensor
    entropies: torch.FloatTensor
    seconds: float

    def rows(self, ends: set[int], pad_token_id: int) -> Iterator[Row]:
        """Each row, up to the first id that ends one, or to the PAD that fills it up."""
        for row, entropies in zip(self.new_ids.tolist(), self.entropies, strict=True):
            length = next((place for place, index in enumerate(row) if index in ends), None)
            ids = before_padding(row, pad_token_id) if length is None else row[:length]
            ended_by = None if length is None else row[length]
            yield Row(ids, ended_by, _mean(entropies[: len(ids) + (ended_by is not None)]))


def _mean(entropies: torch.Tensor) -> float:
    return entropies.mean().item() if len(entropies) else math.nan
