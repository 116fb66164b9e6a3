"""Prompts cut from pieces, and their continuation by a language model."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import torch
from symusic.core import ScoreTick
from transformers import LogitsProcessor, PreTrainedModel, set_seed

from ..corpora import RefusedFile
from ..tokenization import MidiProcessor
from .sources import PieceSource


@dataclass(frozen=True)
class ContinuationSettings:
    """
    How pieces are continued.

    Args:
        prompt_length (`int`, *optional*, defaults to 512): first tokens of a piece, BOS counted, that are the prompt.
        continue_length (`int`, *optional*, defaults to 512): most tokens to generate, and to take of the original.
        batch_size (`int`, *optional*, defaults to 8): prompts generated together.
        seed (`int`, *optional*, defaults to 0): of the first batch; each batch after it adds one.
        generation (`dict`, *optional*): arguments of `model.generate()`; sampling from the model's own distribution
            (no top-k, no top-p) if not set.
    """

    prompt_length: int = 512
    continue_length: int = 512
    batch_size: int = 8
    seed: int = 0
    generation: dict = field(default_factory=lambda: {"do_sample": True, "top_k": 0})

    def check(self, model: PreTrainedModel):
        """Raises `ValueError` where the model cannot read prompt and continuation, or a length is not positive."""
        for name in ("prompt_length", "continue_length", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1.")
        longest = getattr(model.config, "max_position_embeddings", None)
        wanted = self.prompt_length + self.continue_length
        if longest is not None and wanted > longest:
            raise ValueError(
                f"prompt_length {self.prompt_length} + continue_length {self.continue_length} = {wanted} tokens, but "
                f"the model reads {longest}: make either shorter."
            )


@dataclass(frozen=True)
class Prompt:
    """The beginning of a piece, and how the piece goes on: ids without padding, and a name."""

    name: str
    prompt_ids: list[int]
    original_ids: list[int]
    tempo: float


@dataclass(frozen=True)
class Continuation:
    """
    A continued prompt.

    Args:
        prompt ([`Prompt`]): what was continued.
        generated_ids (`list[int]`): new tokens, EOS not included.
        ended_with_eos (`bool`): the model ended the piece itself.
        entropy (`float`): of the model's distribution over the next token, in nats, averaged over the new tokens.
        seed (`int`): of the batch.
        seconds (`float`): the batch took, divided by its size.
    """

    prompt: Prompt
    generated_ids: list[int]
    ended_with_eos: bool
    entropy: float
    seed: int
    seconds: float


def make_prompt(
    name: str, score: ScoreTick, processor: MidiProcessor, prompt_length: int, continue_length: int
) -> Prompt:
    """
    Cuts a piece into its first `prompt_length` tokens (BOS counted) and the next `continue_length`.

    Raises:
        [`RefusedFile`]: the piece has no note, or no token after the prompt (`too_short`).
    """
    ids, num_notes = processor.encode_score(score)
    if num_notes == 0:
        raise RefusedFile("no_notes", f"{processor.tokenization} keeps no note of it")
    ids = [processor.tokenizer.bos_token_id, *ids]
    if len(ids) <= prompt_length:
        raise RefusedFile("too_short", f"{len(ids)} tokens, and the prompt alone takes {prompt_length}")
    tempo = score.tempos[0].qpm if score.tempos else 120.0
    return Prompt(name, ids[:prompt_length], ids[prompt_length : prompt_length + continue_length], tempo)


def make_prompts(
    pieces: Iterable[PieceSource],
    processor: MidiProcessor,
    settings: ContinuationSettings,
    *,
    left_out: list[dict],
    limit: int | None = None,
) -> Iterator[Prompt]:
    """
    Yields the prompts of `pieces`, `limit` at most, and appends what is refused to `left_out` (`name`, `reason` and
    `detail`).
    """
    prompts = _prompts_or_refusals(pieces, processor, settings, left_out)
    yield from islice(prompts, limit)


def _prompts_or_refusals(pieces, processor, settings, left_out) -> Iterator[Prompt]:
    for piece in pieces:
        try:
            yield make_prompt(
                piece.name, piece.score(), processor, settings.prompt_length, settings.continue_length
            )
        except RefusedFile as refused:
            left_out.append({"name": piece.name, "reason": refused.reason, "detail": refused.detail})


def continue_prompts(
    model: PreTrainedModel, processor: MidiProcessor, prompts: Iterable[Prompt], settings: ContinuationSettings
) -> Iterator[Continuation]:
    """
    Continues prompts, batch by batch, with a KV cache and left padding.

    Args:
        model ([`~transformers.PreTrainedModel`]): a causal language model.
        processor ([`MidiProcessor`]): the model's.
        prompts (iterable of [`Prompt`]): of any lengths.
        settings ([`ContinuationSettings`]): lengths, seed and generation arguments.

    Yields:
        [`Continuation`], in the order of `prompts`.

    Raises:
        `ValueError`: the model cannot read so many tokens.
    """
    settings.check(model)
    prompts = iter(prompts)
    seed = settings.seed
    while batch := list(islice(prompts, settings.batch_size)):
        yield from _continue_batch(model, processor, batch, settings, seed)
        seed += 1


def _continue_batch(model, processor, batch, settings, seed) -> Iterator[Continuation]:
    inputs = processor.pad(
        {"input_ids": [prompt.prompt_ids for prompt in batch]},
        padding=True,
        padding_side="left",
        return_tensors="pt",
    ).to(model.device)
    entropies = EntropyRecorder()
    started = time.perf_counter()
    set_seed(seed)
    with torch.inference_mode():
        output = model.generate(
            **inputs,
            max_new_tokens=settings.continue_length,
            use_cache=True,
            pad_token_id=processor.tokenizer.pad_token_id,
            eos_token_id=processor.tokenizer.eos_token_id,
            logits_processor=[entropies],
            **settings.generation,
        )
    seconds = (time.perf_counter() - started) / len(batch)
    new_tokens = output[:, inputs["input_ids"].shape[1] :].tolist()
    for index, (prompt, row) in enumerate(zip(batch, new_tokens, strict=True)):
        eos = processor.tokenizer.eos_token_id
        ended = eos in row
        length = row.index(eos) if ended else len(row)
        entropy = entropies.mean(index, length + ended)
        yield Continuation(prompt, row[:length], ended, entropy, seed, seconds)


class EntropyRecorder(LogitsProcessor):
    """Records the entropy of the model's next-token distribution at every step, and leaves the scores as they are."""

    def __init__(self):
        self.steps = []

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        self.steps.append(torch.distributions.Categorical(logits=scores.float()).entropy().cpu())
        return scores

    def mean(self, row: int, length: int) -> float:
        """Mean entropy in nats of the first `length` steps of a row."""
        return torch.stack(self.steps)[:length, row].mean().item()
