"""Generation of tokens by `generate()`, row by row reproducible, on the fastest engine for the device."""

import functools
import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    StoppingCriteriaList,
)
from transformers.generation.streamers import BaseStreamer

from ..borders.transformers import sample
from ..threads import StepThreads
from .arguments import LOOP_MODES, check_supported, generation_mode, settings_in_force
from .engine import FEWEST_NEW_TOKENS, FEWEST_ROWS, call_packed, preallocated_cache
from .limits import StopTextCriteria
from .randomness import OwnRandomness, RowNoise

CACHE_ARGUMENTS = ("past_key_values", "cache_implementation", "use_cache", "generation_config")
"""Arguments of `generate()` with which a caller decides on the cache."""
NEW_TOKENS_TO_RESERVE = 512


@dataclass(frozen=True)
class GeneratedRows:
    """
    What was generated.

    Args:
        sequences (`torch.LongTensor` of shape `(rows, prompt + new tokens)`): with PAD after EOS.
        entropies (`torch.FloatTensor` of shape `(rows, new tokens)`):
            Of the model's own distribution over the next token, before any processor, in nats; `nan` where it was not
            measured (beams, assisted generation, a loop of the caller's).
    """

    sequences: torch.LongTensor
    entropies: torch.FloatTensor


def generate_rows(
    model: PreTrainedModel,
    input_ids: torch.LongTensor,
    attention_mask: torch.LongTensor,
    *,
    seeds: Sequence[int],
    streamer: BaseStreamer | None = None,
    **generate_kwargs,
) -> GeneratedRows:
    """
    Generates with `model.generate()`, row by row reproducible.

    Sampled rows each have a random stream of their own, so that a row does not depend on the others of its batch.

    Args:
        model ([`~transformers.PreTrainedModel`]): a causal language model.
        input_ids (`torch.LongTensor` of shape `(prompts, tokens)`): padded on the left.
        attention_mask (`torch.LongTensor` of shape `(prompts, tokens)`): 0 where there is padding.
        seeds (sequence of `int`): one for each row that comes back, `num_return_sequences` for each prompt.
        streamer ([`~transformers.generation.streamers.BaseStreamer`], *optional*): gets the new ids.
        generate_kwargs: further arguments of `model.generate()`.

    Returns:
        [`GeneratedRows`].

    Raises:
        `ValueError`: scores, attentions or the like are asked for, or rows come back that do not go on from the
            prompts.
    """
    settings = settings_in_force(model, generate_kwargs)
    check_supported(settings)
    prompts, width = input_ids.shape
    arguments = {"input_ids": input_ids, "attention_mask": attention_mask, "streamer": streamer, **generate_kwargs}
    arguments |= _stop_criteria(settings, generate_kwargs)
    new_tokens = settings.max_new_tokens or NEW_TOKENS_TO_RESERVE
    rows = prompts * max(settings.num_return_sequences or 1, settings.num_beams or 1)
    entropies, threads = Entropies(), StepThreads(model, rows)
    if _goes_row_by_row(settings, generate_kwargs):
        first = [_Following(threads), entropies]
        loop = _SamplingLoop(seeds, first, streamer, generate_kwargs.get("synced_gpus"))
        cache = _cache_arguments(model, settings, generate_kwargs, width + new_tokens)
        generate = functools.partial(model.generate, custom_generate=loop, **cache)
    else:
        generate = functools.partial(OwnRandomness(seeds, len(seeds) // prompts).call, model.generate)
    if rows >= FEWEST_ROWS and new_tokens >= FEWEST_NEW_TOKENS:
        generate = functools.partial(call_packed, model, generate)
    generated = threads.call(generate, **arguments)
    sequences = getattr(generated, "sequences", generated)
    _check_rows(sequences, input_ids, len(seeds))
    return GeneratedRows(sequences, entropies.of_rows(len(seeds), sequences.shape[1] - width))


def _stop_criteria(settings: GenerationConfig, arguments: dict) -> dict:
    """Arguments that stand for `stop_strings`."""
    if not settings.stop_strings:
        return {}
    if arguments.get("tokenizer") is None:
        raise ValueError(f"stop_strings={settings.stop_strings!r} are looked for in text: give tokenizer=.")
    at_texts = StopTextCriteria(arguments["tokenizer"], settings.stop_strings)
    return {"stop_strings": None, "stopping_criteria": [*(arguments.get("stopping_criteria") or []), at_texts]}


def _goes_row_by_row(settings: GenerationConfig, arguments: dict) -> bool:
    return arguments.get("custom_generate") is None and generation_mode(settings, arguments) in LOOP_MODES


def _cache_arguments(model: PreTrainedModel, settings: GenerationConfig, arguments: dict, capacity: int) -> dict:
    """Arguments for our cache, where neither the caller nor the model decides on another, or may fill one itself."""
    if not arguments.keys().isdisjoint(CACHE_ARGUMENTS):
        return {}
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        return {}
    cached = {"use_cache": True}  # the Trainer leaves models that say False
    own_kind = settings.cache_implementation is not None or model.config.is_encoder_decoder
    if not own_kind and isinstance(model, PreTrainedModel):
        cached["past_key_values"] = preallocated_cache(model, capacity)
    return cached


def _check_rows(sequences, input_ids: torch.LongTensor, num_rows: int):
    prompts, width = input_ids.shape
    if (
        not isinstance(sequences, torch.Tensor)
        or sequences.dim() != 2
        or len(sequences) != num_rows
        or not torch.equal(sequences[:, :width], input_ids.repeat_interleave(num_rows // prompts, dim=0))
    ):
        what = tuple(sequences.shape) if isinstance(sequences, torch.Tensor) else type(sequences).__name__
        raise ValueError(
            f"custom_generate gave {what}: it must give the ids of {num_rows} rows, each the {width} ids of its "
            "prompt and those that follow."
        )


class Entropies(LogitsProcessor):
    """Measures the entropy of scores in nats, step by step, and leaves them as they are."""

    def __init__(self):
        self.steps = []

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Measures scores of shape `(rows, ids)`, and returns them."""
        self.steps.append(torch.distributions.Categorical(logits=scores, validate_args=False).entropy())
        return scores

    def of_rows(self, num_rows: int, num_steps: int) -> torch.FloatTensor:
        """Entropies of shape `(rows, steps)`, on the CPU; `nan` where there was nothing to measure."""
        if not self.steps:
            return torch.full((num_rows, num_steps), torch.nan)
        return torch.stack(self.steps[:num_steps], dim=1).cpu()


class _Following(LogitsProcessor):
    """Has the threads follow the load of the machine, step by step, and leaves scores as they are."""

    def __init__(self, threads: StepThreads):
        self.threads = threads

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        self.threads.follow()
        return scores


class _SamplingLoop:
    """
    transformers' own loop of greedy search or sampling, with a random stream for each row.

    It is what `generate()` calls as `custom_generate`.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        first_processors: list[LogitsProcessor],
        streamer: BaseStreamer | None,
        synced_gpus: bool | None,
    ):
        self.seeds = seeds
        self.first_processors = first_processors
        self.streamer, self.synced_gpus = streamer, synced_gpus  # generate() does not hand them on to a callable

    def __call__(
        self,
        model: PreTrainedModel,
        input_ids: torch.LongTensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        **model_kwargs,
    ):
        processors = [*self.first_processors, *logits_processor]
        if generation_config.do_sample:
            processors.append(RowNoise(self.seeds))
            generation_config.do_sample = False  # of generate()'s own copy
        return sample(
            model,
            input_ids,
            self.synced_gpus,
            self.streamer,
            logits_processor=LogitsProcessorList(processors),
            stopping_criteria=stopping_criteria,
            generation_config=generation_config,
            **model_kwargs,
        )
