"""Measures what relative positions cost a decoding step of the Music Transformer, and the memory of long generation.

    python benchmarks/decoding.py

Every run is a fresh process. README.md says what each figure means.
"""

import argparse
import itertools
import json
import time
from pathlib import Path

import psutil
import torch
from measuring import (
    MIB,
    RESULTS,
    FreshRun,
    alternating,
    answer_task,
    print_targets,
    run_fresh,
    save_result,
    spread,
    synchronize,
    target,
)
from transformers import DynamicCache, StaticCache, StoppingCriteria
from transformers.cache_utils import Cache

from neuromusic_hf.models import MusicTransformerConfig, MusicTransformerForCausalLM

SIZES = {
    "full": {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 1536},
    "small": {"num_hidden_layers": 4, "hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024},
    "tiny": {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64},
}
"""Config arguments. `tiny` tells nothing about speed; it is for the tests."""
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
DYNAMIC, STATIC = "dynamic", "static"
WITH, WITHOUT = "with", "without"
UNTIMED_STEPS = 2
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="full", choices=SIZES, help="of the model whose steps are timed")
    parser.add_argument("--model_config", default="{}", help="JSON object: more arguments of that model's config")
    parser.add_argument("--context", type=int, default=1024, help="tokens in the cache halfway through a timed run")
    parser.add_argument("--batches", default="1,16", help="rows, joined by commas")
    parser.add_argument("--precisions", default="fp32,bf16", help="of fp32, bf16, joined by commas")
    parser.add_argument("--caches", default=f"{DYNAMIC},{STATIC}", help="of dynamic, static, joined by commas")
    parser.add_argument("--steps", type=int, default=32, help="timed in a run, with and without as many each")
    parser.add_argument("--repetitions", type=int, default=2, help="of every timed run")
    parser.add_argument("--long_size", default="small", choices=SIZES, help="of the model that generates at length")
    parser.add_argument("--new_tokens", default="512,1024,2048,4096", help="after which memory is noted")
    parser.add_argument("--output", type=Path, default=RESULTS / "decoding.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    if args.context <= args.steps + UNTIMED_STEPS:
        parser.error(f"--context must be more than {args.steps + UNTIMED_STEPS}, half of the tokens of a run")
    steps = time_steps(args)
    long = {cache: generate_long(cache, args) for cache in (STATIC, DYNAMIC)}
    targets = {
        f"{name}, share of the relative positions": target(row["relative_share"], below=0.1)
        for name, row in steps.items()
        if DYNAMIC in name
    }
    print_table(steps, long)
    print_targets(targets)
    settings = {
        "size": SIZES[args.size] | json.loads(args.model_config),
        "context": args.context,
        "device": DEVICE,
        "steps": args.steps,
        "repetitions": args.repetitions,
        "long_size": SIZES[args.long_size],
    }
    figures = {"settings": settings, "step": steps, "long_generation": long, "targets": targets}
    save_result(args.output, "decoding", figures)


def time_steps(args: argparse.Namespace) -> dict[str, dict]:
    """Figures of all runs with and without relative positions, by precision, batch and cache."""
    choices = itertools.product(args.precisions.split(","), args.batches.split(","), args.caches.split(","))
    runs = {choice: [] for choice in choices}
    for repetition, (precision, batch, cache) in alternating(list(runs), args.repetitions):
        task = {"precision": precision, "batch": int(batch), "cache": cache, "size": args.size}
        task |= {"model_config": json.loads(args.model_config), "context": args.context, "steps": args.steps}
        run = run_fresh(__file__, task, {})
        runs[precision, batch, cache].append(run)
        done = f"repetition {repetition + 1} of {args.repetitions}"
        share = step_figures([run])["relative_share"]
        print(f"{precision}, batch {batch}, {cache} cache, {done}: relative positions {share:.1%}", flush=True)
    return {
        f"{precision}, batch {batch}, {cache} cache": step_figures(row)
        for (precision, batch, cache), row in runs.items()
    }


def step_figures(runs: list[FreshRun]) -> dict:
    """Milliseconds of all steps of all repetitions, and the share of them that is due to relative positions."""
    pooled = {name: spread([ms for run in runs for ms in run.result[name]]) for name in (WITH, WITHOUT)}
    of_each = [{name: spread(run.result[name]) for name in (WITH, WITHOUT)} for run in runs]
    shares = [1 - row[WITHOUT]["median"] / row[WITH]["median"] for row in [pooled, *of_each]]
    return {"milliseconds": pooled, "relative_share": shares[0], "relative_share_of_each_run": shares[1:]}


def generate_long(cache: str, args: argparse.Namespace) -> dict:
    """Memory during one long generation, and its growth beyond what the cache must hold."""
    marks = [int(count) for count in args.new_tokens.split(",")]
    run = run_fresh(__file__, {"cache": cache, "size": args.long_size, "marks": marks}, {})
    resident, held = run.result["memory_mib"], run.result["cache_mib"]
    growth = {count: resident[count] - held[count] - resident[str(marks[0])] + held[str(marks[0])] for count in held}
    print(f"{cache} cache, {marks[-1]} new tokens: {growth[str(marks[-1])]:.1f} MiB of growth", flush=True)
    return {**run.result, "growth_beyond_cache_mib": growth}


def run_task(cache: str, size: str, model_config: dict | None = None, **settings) -> dict:
    """One run, in its own process: of timed steps, or of long generation."""
    torch.manual_seed(0)
    config = MusicTransformerConfig(**SIZES[size], **(model_config or {}))
    model = MusicTransformerForCausalLM(config).eval().to(DEVICE)
    return long_run(model, cache, **settings) if "marks" in settings else timed_run(model, cache, **settings)


@torch.no_grad()
def timed_run(
    model: MusicTransformerForCausalLM, cache: str, precision: str, batch: int, context: int, steps: int
) -> dict[str, list[float]]:
    """Milliseconds of decoding steps with and without relative positions, in turns, on a cache that grows by each."""
    model = model.to(PRECISIONS[precision])
    turns = [order for pair in range(UNTIMED_STEPS + steps) for order in ((WITH, WITHOUT), (WITHOUT, WITH))[pair % 2]]
    seen = context - len(turns) // 2
    past_key_values = filled_cache(model, cache, batch, seen, seen + len(turns))
    milliseconds = {WITH: [], WITHOUT: []}
    for name in turns:
        set_relative_positions(model, name == WITH)
        seen += 1
        input_ids = torch.randint(3, model.config.vocab_size, (batch, 1), device=DEVICE)
        attention_mask = torch.ones(batch, seen, dtype=torch.long, device=DEVICE)
        synchronize()
        start = time.perf_counter()
        model(input_ids, attention_mask=attention_mask, past_key_values=past_key_values, use_cache=True)
        synchronize()
        milliseconds[name].append(1000 * (time.perf_counter() - start))
    return {name: row[UNTIMED_STEPS:] for name, row in milliseconds.items()}


def filled_cache(model: MusicTransformerForCausalLM, cache: str, batch: int, tokens: int, most: int) -> Cache:
    """A cache of random keys and values: time does not depend on what they are."""
    config = model.config
    past_key_values = DynamicCache(config=config) if cache == DYNAMIC else StaticCache(config, max_cache_len=most)
    heads = config.num_attention_heads
    keys, values = torch.randn(2, batch, heads, tokens, config.hidden_size // heads, device=DEVICE).to(model.dtype)
    for layer in range(config.num_hidden_layers):
        past_key_values.update(keys.clone(), values.clone(), layer)
    return past_key_values


def set_relative_positions(model: MusicTransformerForCausalLM, on: bool):
    """Gives the relative positions their forward pass back, or one that yields no scores at all."""
    for layer in model.model.layers:
        positions = layer.self_attn.relative_positions
        vars(positions).pop("forward", None)
        if not on:
            positions.forward = lambda *_: None


def long_run(model: MusicTransformerForCausalLM, cache: str, marks: list[int]) -> dict[str, dict]:
    """Memory and seconds at `marks`, in new tokens. Static is preallocated; dynamic is what `generate` does if left
    alone."""
    noted = MemoryNotes(marks)
    model.generate(
        torch.tensor([[model.config.bos_token_id]], device=DEVICE),
        do_sample=True,
        max_new_tokens=marks[-1],
        min_new_tokens=marks[-1],
        stopping_criteria=[noted],
        **({"cache_implementation": STATIC} if cache == STATIC else {}),
    )
    config = model.config
    bytes_per_token = 2 * config.num_hidden_layers * config.hidden_size * model.dtype.itemsize
    held = {count: bytes_per_token * (marks[-1] if cache == STATIC else count) / MIB for count in marks}
    return {"memory_mib": noted.memory_mib, "cache_mib": held, "seconds": noted.seconds}


class MemoryNotes(StoppingCriteria):
    """Notes the memory in use and the time when so many tokens are new; never stops."""

    def __init__(self, marks: list[int]):
        self.marks = marks
        self.start = time.perf_counter()
        self.memory_mib = {}
        self.seconds = {}

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs) -> torch.BoolTensor:
        new = input_ids.shape[1] - 1
        if new in self.marks:
            synchronize()
            on_gpu = DEVICE == "cuda"
            self.memory_mib[new] = (
                torch.cuda.memory_allocated() if on_gpu else psutil.Process().memory_info().rss
            ) / MIB
            self.seconds[new] = time.perf_counter() - self.start
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def print_table(steps: dict[str, dict], long: dict[str, dict]):
    """Prints medians and shares, then memory by new tokens."""
    print(f"\n{'':30}{'with, ms':>10}{'without':>10}{'share':>8}")
    for name, row in steps.items():
        cells = "".join(f"{row['milliseconds'][part]['median']:>10.2f}" for part in (WITH, WITHOUT))
        print(f"{name:30}{cells}{row['relative_share']:>8.1%}")
    for cache, row in long.items():
        shown = ", ".join(f"{count}: {mib:.1f}" for count, mib in row["memory_mib"].items())
        grown = ", ".join(f"{count}: {mib:+.1f}" for count, mib in row["growth_beyond_cache_mib"].items())
        print(f"{cache} cache, MiB by new tokens: {shown}; growth beyond the cache: {grown}")


if __name__ == "__main__":
    main()
