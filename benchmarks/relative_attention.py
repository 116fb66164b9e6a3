"""Measures one layer of relative attention, forward and backward, beside attention that knows no distances.

    python benchmarks/relative_attention.py

Every run is a fresh process. README.md says what each figure means.
"""

import argparse
import functools
import sys
import time
from pathlib import Path

import psutil
import torch
from measuring import (
    MIB,
    RESULTS,
    alternating,
    answer_task,
    peak_memory,
    print_targets,
    run_fresh,
    save_result,
    spread,
    synchronize,
    target,
)
from naive_music_transformer import skew
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from neuromusic_hf.models.music_transformer.relative_attention import relative_attention

HEADS, HEAD_DIM = 12, 64
SCALING = HEAD_DIM**-0.5
PRECISIONS = {"bf16": torch.bfloat16, "fp32": torch.float32}
OURS, SDPA, NAIVE, FLEX = "ours", "causal_sdpa", "naive", "flex_attention"
UNTIMED_STEPS = 2
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
ENVIRONMENT_OF_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""Has the GNU C library give every tensor pages of its own and take them back: its heap keeps what is free."""


def main():
    on_gpu = DEVICE == "cuda"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=2048 if on_gpu else 1024, help="tokens, where time is taken")
    parser.add_argument("--memory_lengths", default="1024,2048,4096", help="tokens, where memory is")
    parser.add_argument("--batch", type=int, default=1, help="rows")
    parser.add_argument("--precisions", default="bf16" if on_gpu else "bf16,fp32", help="of bf16, fp32")
    parser.add_argument("--flex_attention", action=argparse.BooleanOptionalAction, default=on_gpu, help="needs a GPU")
    parser.add_argument("--steps", type=int, default=20, help=f"timed in a run, after {UNTIMED_STEPS} that are not")
    parser.add_argument("--repetitions", type=int, default=3, help="of every timed run")
    parser.add_argument("--output", type=Path, default=RESULTS / "relative_attention.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    lengths = [int(length) for length in args.memory_lengths.split(",")]
    figures = {
        precision: {"milliseconds": take_times(precision, args), "memory_mib": take_memory(precision, lengths, args)}
        for precision in args.precisions.split(",")
    }
    for row in figures.values():
        row["ratios"] = ratios_of(row)
    settings = {"heads": HEADS, "head_dim": HEAD_DIM, "batch": args.batch, "length": args.length, "device": DEVICE}
    settings |= {"steps": args.steps, "repetitions": args.repetitions}
    targets = targets_of(figures)
    print_table(figures)
    print_targets(targets)
    save_result(args.output, "relative_attention", {"settings": settings, "precisions": figures, "targets": targets})


def take_times(precision: str, args: argparse.Namespace) -> dict[str, dict]:
    """Milliseconds of forward and backward pass, of each way to attend."""
    names = [OURS, SDPA, NAIVE, *([FLEX] if args.flex_attention else [])]
    found = {name: [] for name in names}
    task = {"precision": precision, "batch": args.batch, "length": args.length, "steps": args.steps}
    for repetition, name in alternating(names, args.repetitions):
        found[name] += run_fresh(__file__, {"name": name, **task}, {}).result["milliseconds"]
        done = f"repetition {repetition + 1} of {args.repetitions}"
        print(f"{precision}, {done}: {name} {spread(found[name])['median']:.2f} ms", flush=True)
    return {name: spread(row) for name, row in found.items()}


def take_memory(precision: str, lengths: list[int], args: argparse.Namespace) -> dict[str, dict]:
    """Peak memory of forward and backward pass in MiB, beyond inputs and gradients, by way to attend and tokens."""
    names = [OURS, NAIVE, *([FLEX] if args.flex_attention else [])]
    found = {name: {} for name in names}
    for length in lengths:
        for name in names:
            task = {"name": name, "precision": precision, "batch": args.batch, "length": length, "steps": 0}
            found[name][str(length)] = run_fresh(__file__, task, ENVIRONMENT_OF_MEMORY).result["peak_memory_mib"]
            print(f"{precision}, {length} tokens: {name} {found[name][str(length)]:.1f} MiB", flush=True)
    return found


def run_task(name: str, precision: str, batch: int, length: int, steps: int) -> dict:
    """One run, in its own process: times of `steps` steps, or the peak memory of a single one if that is 0."""
    if steps:
        tensors = layer_tensors(batch, length, precision)
        times = [timed_step(name, tensors) for _ in range(UNTIMED_STEPS + steps)]
        return {"milliseconds": [1000 * seconds for seconds in times[UNTIMED_STEPS:]]}
    # Libraries allocate at their first use, and once.
    step(name, layer_tensors(1, 128, precision))
    growth = peak_growth(name, layer_tensors(batch, length, precision))
    if growth <= 0:
        sys.exit(f"{name} at {length} tokens takes less memory than can be measured here; give --memory_lengths more.")
    return {"peak_memory_mib": growth / MIB}


def layer_tensors(batch: int, length: int, precision: str) -> list[torch.Tensor]:
    """Query, key, value and the embeddings of the distances from 0 on, with gradients in place, and that of the
    output."""
    torch.manual_seed(0)
    shapes = [(batch, HEADS, length, HEAD_DIM)] * 3 + [(HEADS, length, HEAD_DIM), (batch, HEADS, length, HEAD_DIM)]
    *inputs, grad_output = [torch.randn(shape, dtype=PRECISIONS[precision], device=DEVICE) for shape in shapes]
    for tensor in inputs:
        tensor.requires_grad_().grad = torch.ones_like(tensor)
    return [*inputs, grad_output]


def step(name: str, tensors: list[torch.Tensor]):
    """Forward and backward pass."""
    *inputs, grad_output = tensors
    ATTENTION[name](*inputs).backward(grad_output)


def timed_step(name: str, tensors: list[torch.Tensor]) -> float:
    """Seconds of a step."""
    synchronize()
    start = time.perf_counter()
    step(name, tensors)
    synchronize()
    return time.perf_counter() - start


def peak_growth(name: str, tensors: list[torch.Tensor]) -> int:
    """Bytes a step takes at its peak, beyond those that were taken before."""
    if DEVICE == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(name, tensors)
        return torch.cuda.max_memory_allocated() - before
    # Linux counts the peak of the process anew from here on.
    Path("/proc/self/clear_refs").write_text("5")
    process = psutil.Process()
    before = process.memory_info().rss
    step(name, tensors)
    return peak_memory(process) - before


def ours(query, key, value, embeddings):
    """The attention of the Music Transformer of this project."""
    return relative_attention(query, key, value, embeddings, scaling=SCALING)


def causal_sdpa(query, key, value, embeddings):
    """PyTorch's fused attention, without relative scores."""
    if query.is_cuda and query.dtype == torch.bfloat16:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


def naive(query, key, value, embeddings):
    """The relative scores of all pairs of tokens by the paper's skewing, and PyTorch's attention with them as mask."""
    length = query.shape[2]
    relative = skew(query @ embeddings.flip(1).transpose(1, 2)) * SCALING
    future = torch.ones(length, length, dtype=torch.bool, device=query.device).triu(1)
    mask = relative.masked_fill(future, float("-inf"))
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def flex(query, key, value, embeddings):
    """PyTorch's compiled attention, reading relative scores of all queries and distances."""
    relative = query @ embeddings.transpose(1, 2)
    farthest = embeddings.shape[1] - 1

    def add_relative(score, row, head, at, key_at):
        return score + relative[row, head, at, (at - key_at).clamp(0, farthest)] * SCALING

    attend = compiled_flex_attention() if query.is_cuda else flex_attention
    return attend(query, key, value, add_relative, causal_blocks(query.shape[2], query.device.type))


@functools.cache
def compiled_flex_attention():
    return torch.compile(flex_attention, dynamic=False)


@functools.cache
def causal_blocks(length: int, device: str):
    """The blocks that flex attention need not skip."""
    return create_block_mask(lambda row, head, at, key_at: at >= key_at, None, None, length, length, device=device)


ATTENTION = {OURS: ours, SDPA: causal_sdpa, NAIVE: naive, FLEX: flex}


def ratios_of(figures: dict[str, dict]) -> dict:
    """Quotients of median times and of peak memory: less than 1 is in favour of what is named first."""
    times = {name: row["median"] for name, row in figures["milliseconds"].items()}
    memory, of_naive = figures["memory_mib"][OURS], figures["memory_mib"][NAIVE]
    *shorter, longest = memory
    return {
        **{f"{name}_to_{SDPA}": value / times[SDPA] for name, value in times.items() if name != SDPA},
        f"{OURS}_to_{NAIVE}": times[OURS] / times[NAIVE],
        f"memory_{OURS}_to_{NAIVE}": {length: value / of_naive[length] for length, value in memory.items()},
        f"memory_{OURS}": {f"{longest}_to_{length}": memory[longest] / memory[length] for length in shorter},
    }


def targets_of(figures: dict[str, dict]) -> dict[str, dict]:
    """Bounds on the time (on a CPU) and on the memory at the largest number of tokens."""
    targets = {}
    for precision, row in figures.items():
        if DEVICE == "cpu":
            targets[f"{precision}, ms, ours to causal SDPA"] = target(row["ratios"][f"{OURS}_to_{SDPA}"], at_most=2.5)
        memory = row["ratios"][f"memory_{OURS}_to_{NAIVE}"]
        longest = list(memory)[-1]
        targets[f"{precision}, MiB at {longest} tokens, ours to naive"] = target(memory[longest], at_most=0.25)
    return targets


def print_table(figures: dict[str, dict]):
    """Prints times, memory by tokens, and ratios."""
    print(f"\n{'':6}{'':16}{'ms':>9}{'min':>9}{'max':>9}  MiB by tokens")
    for precision, row in figures.items():
        for name, times in row["milliseconds"].items():
            cells = "".join(f"{times[key]:>9.2f}" for key in ("median", "min", "max"))
            memory = ", ".join(f"{length}: {mib:.1f}" for length, mib in row["memory_mib"].get(name, {}).items())
            print(f"{precision:6}{name:16}{cells}  {memory}")
        for name, ratio in row["ratios"].items():
            shown = ratio if isinstance(ratio, dict) else {"": ratio}
            print(f"{'':6}{name} {', '.join(f'{key} {value:.3g}'.strip() for key, value in shown.items())}")


if __name__ == "__main__":
    main()
