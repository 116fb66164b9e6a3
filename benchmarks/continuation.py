"""Measures continuation against the least a decoding step can take, plain generate(), and a loop without a cache.

    python benchmarks/continuation.py

Every model and batch is a fresh process. README.md says what each figure means.
"""

import argparse
import time
from itertools import pairwise
from pathlib import Path

import torch
from measuring import (
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
from naive_music_transformer import NaiveMusicTransformer
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, LogitsProcessor, PreTrainedModel

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.generation import generate_rows

SIZES = {
    "full": {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 1536},
    "small": {"num_hidden_layers": 4, "hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024},
    "tiny": {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64},
}
"""`tiny` tells nothing about speed; it is for the tests."""
OURS, PLAIN, NO_CACHE = "ours", "plain_generate", "no_cache"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BANDWIDTH_BYTES = 2**28
FLOOR_FACTORS = {1: 1.6, 16: 2.0}
"""What the project asks of a decoding step, in floors, by batch."""
NO_CACHE_FACTORS = {1: 50, 16: 300}
"""What it asks of tokens/s, in those of a loop without a cache for one row."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="gpt2,music_transformer", help="joined by commas")
    parser.add_argument("--batches", default="1,16", help="rows, joined by commas")
    parser.add_argument("--size", default="full", choices=SIZES)
    parser.add_argument("--prompt_length", type=int, default=512, help="tokens")
    parser.add_argument("--new_tokens", type=int, default=512)
    parser.add_argument("--dtype", default="float32", help="of weights and cache")
    parser.add_argument("--repetitions", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS / "continuation.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    shape = {name: getattr(args, name) for name in ("size", "prompt_length", "new_tokens", "dtype")}
    runs, no_cache = measure(args, shape)
    rows = {f"{model}, batch {batch}": figures(found) for (model, batch), found in runs.items()}
    for (model, _), row in zip(runs, rows.values(), strict=True):
        row["tokens_per_second_to_no_cache"] = row[OURS]["tokens_per_second"]["median"] / no_cache[model]
    targets = make_targets(runs, rows)
    print_table(rows)
    print_targets(targets)
    settings = {**shape, "sizes": SIZES[args.size], "repetitions": args.repetitions, "device": DEVICE}
    result = {"settings": settings, "no_cache_tokens_per_second": no_cache, "runs": rows, "targets": targets}
    save_result(args.output, "continuation", result)


def measure(args: argparse.Namespace, shape: dict) -> tuple[dict, dict]:
    """All runs by model and batch, and tokens/s without a cache by model."""
    models, batches = args.models.split(","), [int(batch) for batch in args.batches.split(",")]
    runs = {(model, batch): [] for model in models for batch in batches}
    for repetition, (model, batch) in alternating(list(runs), args.repetitions):
        task = {"model": model, "batch": batch, "ours_first": repetition % 2 == 0, **shape}
        run = run_fresh(__file__, task, {})
        runs[model, batch].append(run)
        row = figures([run])
        print(
            f"{model}, batch {batch}: {row[OURS]['to_floor']['median']:.2f} floors, plain generate() "
            f"{row[PLAIN]['to_floor']['median']:.2f}, at {row['gigabytes_per_second']['median']:.1f} GB/s",
            flush=True,
        )
    no_cache = {
        model: run_fresh(__file__, {"model": model, "kind": NO_CACHE, **shape}, {}).result["tokens_per_second"]
        for model in models
    }
    return runs, no_cache


def figures(runs: list[FreshRun]) -> dict:
    """Of both ways: milliseconds of a step, floors it takes, and tokens/s with the prompt counted in."""
    bandwidths = [speed for run in runs for speed in run.result["gigabytes_per_second"]]
    row = {"gigabytes_per_second": spread(bandwidths), "floor_bytes": runs[0].result["floor_bytes"]}
    for name in (OURS, PLAIN):
        found = [run.result[name] for run in runs]
        row[name] = {
            "milliseconds": spread([part["milliseconds"] for part in found]),
            "to_floor": spread([part["to_floor"] for part in found]),
            "prompt_seconds": spread([part["prompt_seconds"] for part in found]),
            "tokens_per_second": spread([part["tokens_per_second"] for part in found]),
        }
    row["same_greedy_tokens"] = sum(run.result["same_tokens"] for run in runs) / len(runs)
    row["ours_to_plain"] = row[PLAIN]["milliseconds"]["median"] / row[OURS]["milliseconds"]["median"]
    return row


def make_targets(runs: dict, rows: dict) -> dict:
    """What the project asks, where it asks something for the batch."""
    targets = {}
    for model, batch in runs:
        row, name = rows[f"{model}, batch {batch}"], f"{model}, batch {batch}"
        if batch in FLOOR_FACTORS:
            found = row[OURS]["to_floor"]["median"]
            targets[f"{name}: step to floor"] = target(found, at_most=FLOOR_FACTORS[batch])
            found = row["tokens_per_second_to_no_cache"]
            targets[f"{name}: tokens/s to no cache"] = target(found, at_least=NO_CACHE_FACTORS[batch])
        targets[f"{name}: same greedy tokens"] = target(row["same_greedy_tokens"], at_least=1)
    return targets


def run_task(kind: str = OURS, **task) -> dict:
    """One run, in its own process."""
    torch.manual_seed(0)
    return time_no_cache(**task) if kind == NO_CACHE else time_generation(**task)


def time_generation(
    model: str, batch: int, ours_first: bool, size: str, prompt_length: int, new_tokens: int, dtype: str
) -> dict:
    """Greedy generation by us and by plain generate(), and the bandwidth before, between and after."""
    network = make_model(model, size, prompt_length + new_tokens).to(DEVICE, getattr(torch, dtype))
    prompts = torch.randint(3, network.config.vocab_size, (batch, prompt_length), device=DEVICE)
    warm_up(network, prompts)
    floor_bytes = step_bytes(network, batch, prompt_length + new_tokens / 2)
    ways = {OURS: generate_as_we_do, PLAIN: generate_plainly}
    bandwidths, found, rows = [read_bandwidth()], {}, {}
    for name in [OURS, PLAIN] if ours_first else [PLAIN, OURS]:
        found[name], rows[name] = timed(ways[name], network, prompts, new_tokens)
        bandwidths.append(read_bandwidth())
        beside = (bandwidths[-2] + bandwidths[-1]) / 2
        found[name]["to_floor"] = found[name]["milliseconds"] / (floor_bytes / beside / 1e6)
    return {
        **found,
        "gigabytes_per_second": bandwidths,
        "floor_bytes": floor_bytes,
        "same_tokens": bool(torch.equal(rows[OURS], rows[PLAIN])),
    }


def make_model(name: str, size: str, context_length: int) -> PreTrainedModel:
    """A model with random weights that does not end a piece."""
    network = build_model(name, MidiProcessor.from_tokenization("REMI"), context_length=context_length, **SIZES[size])
    network.generation_config.eos_token_id = None
    return network.eval()


def generate_as_we_do(network: PreTrainedModel, prompts: torch.Tensor, **arguments) -> torch.Tensor:
    """As the pipeline does, without its grammar."""
    mask = torch.ones_like(prompts)
    return generate_rows(network, prompts, mask, seeds=[0] * len(prompts), **arguments).sequences


def generate_plainly(network: PreTrainedModel, prompts: torch.Tensor, **arguments) -> torch.Tensor:
    """transformers, with the cache it takes by default."""
    with torch.inference_mode():
        return network.generate(input_ids=prompts, attention_mask=torch.ones_like(prompts), **arguments)


def warm_up(network: PreTrainedModel, prompts: torch.Tensor):
    """What happens once is not timed."""
    for generate in (generate_as_we_do, generate_plainly):
        generate(network, prompts[:, :8], max_new_tokens=4, do_sample=False)


def timed(generate, network: PreTrainedModel, prompts: torch.Tensor, new_tokens: int) -> tuple[dict, torch.Tensor]:
    """Seconds of the prompt, mean milliseconds of a step after it, tokens/s of all together; and the rows."""
    clock = Clock()
    synchronize()
    start = time.perf_counter()
    rows = generate(network, prompts, max_new_tokens=new_tokens, do_sample=False, logits_processor=[clock])
    synchronize()
    seconds = time.perf_counter() - start
    steps = [after - before for before, after in pairwise(clock.reached)]
    found = {
        "prompt_seconds": clock.reached[0] - start,
        "milliseconds": 1000 * sum(steps) / len(steps),
        "tokens_per_second": len(prompts) * new_tokens / seconds,
    }
    return found, rows


class Clock(LogitsProcessor):
    """Notes when each step has its scores."""

    def __init__(self):
        self.reached = []

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        synchronize()
        self.reached.append(time.perf_counter())
        return scores


def step_bytes(network: PreTrainedModel, batch: int, tokens: float) -> float:
    """Bytes of weights and cache that a step must read with so many tokens in the cache."""
    weights = sum(tensor.numel() * tensor.element_size() for tensor in network.parameters())
    config = network.config
    key_heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = config.hidden_size // config.num_attention_heads * key_heads
    return weights + 2 * config.num_hidden_layers * batch * tokens * width * network.dtype.itemsize


def read_bandwidth() -> float:
    """GB/s at which torch adds up 256 MiB, the median of nine times."""
    memory = torch.ones(BANDWIDTH_BYTES // 4, device=DEVICE)
    seconds = []
    for _ in range(9):
        synchronize()
        start = time.perf_counter()
        memory.sum()
        synchronize()
        seconds.append(time.perf_counter() - start)
    return BANDWIDTH_BYTES / spread(seconds)["median"] / 1e9


@torch.inference_mode()
def time_no_cache(model: str, size: str, prompt_length: int, new_tokens: int, dtype: str) -> dict:
    """Tokens/s of a loop that reads the whole row again for every token, from five lengths of a row."""
    network = make_naive_model(model, SIZES[size], prompt_length + new_tokens).eval().to(DEVICE)
    seconds = []
    for part in range(6):
        ids = torch.randint(3, 500, (1, prompt_length + (max(0, part - 1) * (new_tokens - 1)) // 4), device=DEVICE)
        synchronize()
        start = time.perf_counter()
        network(input_ids=ids, labels=ids).logits[:, -1].argmax(-1)
        synchronize()
        seconds.append(time.perf_counter() - start)
    return {"tokens_per_second": 5 / sum(seconds[1:])}  # the first is to warm up


def make_naive_model(name: str, sizes: dict, length: int) -> torch.nn.Module:
    """As one writes it first: transformers' class with its own settings, or a naive Music Transformer."""
    vocab_size = MidiProcessor.from_tokenization("REMI").vocab_size
    if name == "music_transformer":
        return NaiveMusicTransformer(vocab_size, length, **sizes)
    arguments = {"vocab_size": vocab_size, "max_position_embeddings": length, "use_cache": False, **sizes}
    if name == "gpt2":
        return GPT2LMHeadModel(GPT2Config(n_inner=arguments.pop("intermediate_size"), **arguments))
    return LlamaForCausalLM(LlamaConfig(**arguments))


def print_table(rows: dict):
    """Prints medians."""
    for name, row in rows.items():
        ours, plain = row[OURS], row[PLAIN]
        print(
            f"{name}: {ours['milliseconds']['median']:.1f} ms a step, {ours['to_floor']['median']:.2f} floors (plain "
            f"generate() {plain['milliseconds']['median']:.1f}, {plain['to_floor']['median']:.2f}); "
            f"{ours['tokens_per_second']['median']:.0f} tokens/s, {row['tokens_per_second_to_no_cache']:.0f} times "
            "those without a cache"
        )


if __name__ == "__main__":
    main()
