"""Generation of tokens, row by row reproducible, on the fastest engine for the device."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList
from transformers.generation import GenerationMode
from transformers.generation.streamers import BaseStreamer

from .engine import packed_model, preallocated_cache

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
            measured (beams, assisted generation).
    """

    sequences: torch.LongTensor
    entropies: torch.FloatTensor


@torch.inference_mode()
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
    Generates with `model.generate()`; sampled rows each have a random stream of their own, so that a row does not
    depend on the others of its batch.

    Args:
        model ([`~transformers.PreTrainedModel`]): a causal language model.
        input_ids (`torch.LongTensor` of shape `(prompts, tokens)`): padded on the left.
        attention_mask (`torch.LongTensor` of shape `(prompts, tokens)`): 0 where there is padding.
        seeds (sequence of `int`): one for each row that comes back, `num_return_sequences` for each prompt.
        streamer ([`~transformers.generation.streamers.BaseStreamer`], *optional*): gets the new ids.
        generate_kwargs: further arguments of `model.generate()`.

    Returns:
        [`GeneratedRows`].
    """
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "streamer": streamer, **generate_kwargs}
    model = packed_model(model)
    if generate_kwargs.keys().isdisjoint(CACHE_ARGUMENTS):
        inputs["use_cache"] = True  # the Trainer leaves models that say False
        num_tokens = input_ids.shape[1] + generate_kwargs.get("max_new_tokens", NEW_TOKENS_TO_RESERVE)
        inputs["past_key_values"] = preallocated_cache(model, num_tokens)
    if _generation_mode(model, generate_kwargs) not in (GenerationMode.SAMPLE, GenerationMode.GREEDY_SEARCH):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeds[0])
            sequences = model.generate(**inputs)
        num_new = sequences.shape[1] - input_ids.shape[1]
        return GeneratedRows(sequences, torch.full((len(sequences), num_new), torch.nan))
    loop = _SamplingLoop(seeds, streamer)
    sequences = model.generate(**inputs, custom_generate=loop)
    return GeneratedRows(sequences, torch.stack(loop.entropies, dim=1).cpu())


def _generation_mode(model: PreTrainedModel, generate_kwargs: dict) -> GenerationMode:
    config = copy.deepcopy(generate_kwargs.get("generation_config") or model.generation_config)
    config.update(**generate_kwargs)
    return config.get_generation_mode(generate_kwargs.get("assistant_model"))


class _SamplingLoop:
    """Greedy search or sampling, with a random stream for each row; what `generate()` calls as `custom_generate`."""

    def __init__(self, seeds: Sequence[int], streamer: BaseStreamer | None):
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.streamer = streamer  # generate() gives it the prompt, and does not hand it on to a callable
        self.entropies = []

    def __call__(
        self,
        model: PreTrainedModel,
        input_ids: torch.LongTensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        **model_kwargs,
    ) -> torch.LongTensor:
        pad = generation_config._pad_token_tensor
        unfinished = torch.ones(len(input_ids), dtype=torch.bool, device=input_ids.device)
        step = 1 if model_kwargs["use_cache"] else None
        outputs = model._prefill(input_ids, generation_config, model_kwargs)
        while True:
            model_kwargs = model._update_model_kwargs_for_generation(outputs, model_kwargs)
            logits = outputs.logits[:, -1].to(copy=True, dtype=torch.float32)
            self.entropies.append(torch.distributions.Categorical(logits=logits, validate_args=False).entropy())
            chosen = self._choose(logits_processor(input_ids, logits), generation_config.do_sample)
            chosen = torch.where(unfinished, chosen, pad) if pad is not None else chosen
            input_ids = torch.cat([input_ids, chosen[:, None]], dim=1)
            if self.streamer is not None:
                self.streamer.put(chosen.cpu())
            unfinished = unfinished & ~stopping_criteria(input_ids, None)
            if not unfinished.any():
                break
            inputs = model.prepare_inputs_for_generation(input_ids, next_sequence_length=step, **model_kwargs)
            outputs = model(**inputs, return_dict=True)
        if self.streamer is not None:
            self.streamer.end()
        return input_ids

    def _choose(self, scores: torch.FloatTensor, do_sample: bool) -> torch.LongTensor:
        if not do_sample:
            return scores.argmax(dim=-1)
        # The largest of probability over exponential noise is a sample (Gumbel's trick).
        noise = torch.stack([torch.empty(scores.shape[1]).exponential_(generator=row) for row in self.generators])
        return (scores.softmax(dim=-1) / noise.to(scores.device)).argmax(dim=-1)
