"""
What a call of the pipeline asks for, and what becomes of each piece.

A [`Request`] holds for all pieces of a call. Each becomes a [`Job`], or a [`Refusal`] that says why not; a job, gone
through the model, is [`Generated`], which gives the results.
"""

import hashlib
import math
from dataclasses import dataclass, field, fields

import torch
from transformers import GenerationConfig

from ..music import RefusedFile
from ..music.excerpts import excerpt, new_music
from ..ranges import check_seed
from ..tokenization import MidiProcessor
from .control import Control
from .limits import MusicFollower, MusicLimit, before_padding
from .prompts import Prompt, PromptSettings

DEFAULT_NEW_TOKENS = 512
ROOM_STEP = 64


@dataclass(frozen=True)
class Request:
    """
    What one call of the pipeline asks for.

    Args:
        prompt ([`PromptSettings`]): how much of each piece is the prompt.
        limit ([`MusicLimit`]): how much music to add.
        control ([`Control`]): what it may be.
        seed (`int`, *optional*): drawn anew for every prompt if not given.
        generation (`dict`): arguments of `model.generate()`.

    Raises:
        `ValueError`: a value is out of range.
    """

    prompt: PromptSettings
    limit: MusicLimit
    control: Control
    seed: int | None = None
    generation: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.seed is not None:
            check_seed(self.seed)

    @classmethod
    def from_parameters(cls, parameters: dict) -> "Request":
        """Sorts the arguments of a call: what this package does not know is for `generate()`."""
        rest = dict(parameters)

        def take(settings):
            known = [entry.name for entry in fields(settings) if entry.name in rest]
            return settings(**{name: rest.pop(name) for name in known})

        return cls(take(PromptSettings), take(MusicLimit), take(Control), rest.pop("seed", None), rest)

    def room(self, length: int, settings: GenerationConfig, context: int | None) -> int:
        """
        How many tokens may follow a prompt.

        Args:
            length (`int`): tokens of the prompt.
            settings ([`~transformers.GenerationConfig`]): in force for the request.
            context (`int`, *optional*): tokens the model reads; `None` for any number.

        Raises:
            [`RefusedFile`]: so many as are asked for do not fit in the context (`prompt_too_long`).
        """
        wanted = settings.max_new_tokens
        if wanted is None and settings.max_length is not None:
            wanted = max(1, settings.max_length - length)
        if wanted is None:
            rest = DEFAULT_NEW_TOKENS if context is None else max(1, context - length)
            # Music decides where it ends: round, so that prompts of nearly the same length go through together.
            wanted = rest - rest % ROOM_STEP if self.limit and rest > ROOM_STEP else rest
            wanted = wanted if self.limit else min(DEFAULT_NEW_TOKENS, rest)
        if context is not None and length + wanted > context:
            raise RefusedFile(
                "prompt_too_long",
                f"{length} tokens of prompt and {wanted} new ones are {length + wanted}; the model reads {context}: "
                f"set prompt_length={max(1, context - wanted)} or less (prompt_from='end' takes the last ones), or a "
                "smaller max_new_tokens",
            )
        return wanted


@dataclass(frozen=True)
class Refusal:
    """An input that is not continued, and why: reasons are those of [`RefusedFile`]."""

    name: str
    reason: str
    detail: str

    def as_result(self) -> dict:
        """What stands for it in the results of a list."""
        return {"name": self.name, "skipped": {"reason": self.reason, "detail": self.detail}, "midi": None}


@dataclass(frozen=True)
class Job:
    """
    A prompt on its way through the model.

    Args:
        prompt ([`Prompt`]): what to continue.
        programs (`set[int]`, *optional*): that new notes may be of; any if `None`.
        max_new_tokens (`int`): most tokens to add.
        seed (`int`): of the random numbers.
    """

    prompt: Prompt
    programs: set[int] | None
    max_new_tokens: int
    seed: int

    def row_seed(self, number: int) -> int:
        """The seed of a continuation by its number. It depends on the prompt and `seed`, not on the batch."""
        text = f"{self.seed}:{number}:{','.join(map(str, self.prompt.ids))}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@dataclass(frozen=True)
class Generated:
    """
    What was generated for one prompt.

    Args:
        job ([`Job`]): what was asked for.
        rows (`torch.LongTensor` of shape `(num_return_sequences, new tokens)`): ids, with PAD after their end.
        entropies (`torch.FloatTensor` of shape `(num_return_sequences, new tokens)`): in nats; `nan` if not measured.
        music ([`MusicFollower`], *optional*): what followed the rows, if the music was to end somewhere.
        seconds (`float`): the batch took, divided by its prompts.
    """

    job: Job
    rows: torch.LongTensor
    entropies: torch.FloatTensor
    music: MusicFollower | None
    seconds: float

    def results(self, processor: MidiProcessor) -> list[dict]:
        """The result of each row, decoded by `processor`."""
        pairs = zip(self.rows.tolist(), self.entropies, strict=True)
        return [self._result(row, entropies, processor) for row, entropies in pairs]

    def _result(self, row: list[int], entropies: torch.Tensor, processor: MidiProcessor) -> dict:
        prompt = self.job.prompt
        ids, ended_with_eos = _until_end(row, processor)
        full = prompt.tempo.decode(prompt.ids + ids, processor)
        if self.music is not None and (tick := self.music.end.tick(full)) is not None:
            full = excerpt(full, 0, tick)
        return {
            "name": prompt.name,
            "midi": full,
            "continuation": new_music(full, prompt.score),
            "prompt": prompt.score,
            "original": prompt.original,
            "token_ids": ids,
            "prompt_token_ids": prompt.ids,
            "original_token_ids": prompt.original_ids,
            "ended_with_eos": ended_with_eos,
            "stopped_by": "eos" if ended_with_eos else self._stopped_by(ids),
            "entropy": _mean(entropies[: len(ids) + ended_with_eos]),
            "changed": prompt.changed,
            "seed": self.job.seed,
            "seconds": self.seconds,
        }

    def _stopped_by(self, ids: list[int]) -> str:
        if self.music is not None and (argument := self.music.stopped_by(ids)) is not None:
            return argument
        return "max_new_tokens" if len(ids) == self.job.max_new_tokens else "stopping_criteria"


def _until_end(row: list[int], processor: MidiProcessor) -> tuple[list[int], bool]:
    """The ids before EOS, or before the PAD that fills up a row, and whether there was EOS."""
    eos = processor.tokenizer.eos_token_id
    return (
        (row[: row.index(eos)], True) if eos in row else (before_padding(row, processor.tokenizer.pad_token_id), False)
    )


def _mean(entropies: torch.Tensor) -> float:
    return entropies.mean().item() if len(entropies) else math.nan
