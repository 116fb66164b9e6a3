"""Measures what an optimizer step of fine-tuning costs: of all weights, and of an adapter (LoRA) on them.

    python benchmarks/finetune_cost.py

Every run is a fresh process. README.md says what each figure means.
"""

import argparse
import tempfile
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
    peak_memory,
    print_targets,
    run_fresh,
    save_result,
    spread,
    target,
)
from transformers import PreTrainedModel, Trainer

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.bundles import public_name, save_bundle
from neuromusic_hf.models.adapters import load_processor
from neuromusic_hf.threads import limit_threads
from neuromusic_hf.training import ModelArguments, RunArguments, add_lora

FULL, LORA = "all_weights", "lora"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="default", help="bundle to fine-tune: a folder, a Hub id, or default")
    parser.add_argument("--ranks", default="4,16,64", help="of the adapters, joined by commas")
    parser.add_argument("--rows", type=int, default=8, help="of a batch")
    parser.add_argument("--context_length", type=int, default=512, help="tokens of a row")
    parser.add_argument("--steps", type=int, default=3, help="timed in a run, after one that is not")
    parser.add_argument("--repetitions", type=int, default=3, help="of every run")
    parser.add_argument("--output", type=Path, default=RESULTS / "finetune_cost.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    ranks = {FULL: None} | {f"{LORA}_{rank}": int(rank) for rank in args.ranks.split(",")}
    task = {"model": args.model, "rows": args.rows, "length": args.context_length, "steps": args.steps}
    runs: dict[str, list[FreshRun]] = {name: [] for name in ranks}
    for repetition, name in alternating(list(ranks), args.repetitions):
        run = run_fresh(__file__, {"rank": ranks[name], **task}, {"HF_HUB_OFFLINE": "1"})
        runs[name].append(run)
        print(f"repetition {repetition + 1} of {args.repetitions}: {name} {run.result['cpu_seconds']}", flush=True)
    figures = {name: figures_of(found) for name, found in runs.items()}
    ratios = {name: ratios_of(found, figures[FULL]) for name, found in figures.items() if name != FULL}
    targets = {
        f"{name}, {figure} to that of all weights": target(row[figure], at_most=1.0)
        for name, row in ratios.items()
        for figure in ("step", "peak_memory")
    }
    print_targets(targets)
    settings = {"model": public_name(args.model)} | {name: value for name, value in task.items() if name != "model"}
    results = {"settings": settings, "runs": figures, "ratios_to_all_weights": ratios, "targets": targets}
    save_result(args.output, "finetune_cost", results)


def figures_of(runs: list[FreshRun]) -> dict:
    """Of all repetitions of a run."""
    counts = ("trained_parameters", "parameters", "optimizer_bytes", "saved_bytes")
    return {name: runs[0].result[name] for name in counts} | {
        "step_cpu_seconds": spread([seconds for run in runs for seconds in run.result["cpu_seconds"]]),
        "peak_memory_mib": spread([run.peak_memory_mib[0] for run in runs]),
        "memory_of_steps_mib": spread([run.result["memory_of_steps_mib"] for run in runs]),
    }


def ratios_of(found: dict, full: dict) -> dict[str, float]:
    """Of an adapter to all weights."""
    medians = {"step": "step_cpu_seconds", "peak_memory": "peak_memory_mib", "memory_of_steps": "memory_of_steps_mib"}
    ratios = {name: found[figure]["median"] / full[figure]["median"] for name, figure in medians.items()}
    counts = ("trained_parameters", "optimizer_bytes", "saved_bytes")
    return ratios | {name: found[name] / full[name] for name in counts}


def run_task(model: str, rank: int | None, rows: int, length: int, steps: int) -> dict:
    """One run, in its own process: steps on random ids, as the Trainer does them and nothing around them."""
    limit_threads()
    torch.manual_seed(0)
    asked = ModelArguments(model=model, lora_rank=rank)
    processor = load_processor(asked.model)
    whole = build_model(asked.model, processor, context_length=length)
    parameters, network = whole.num_parameters(), add_lora(whole, asked)
    before = peak_memory(psutil.Process()) / MIB
    with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as folder:
        optimizer = optimizer_of(network, folder)
        seconds = [step(network, optimizer, processor.vocab_size, rows, length) for _ in range(steps + 1)]
        after = peak_memory(psutil.Process()) / MIB
        saved = saved_bytes(network, processor, Path(folder, "saved"))
    states = [value for state in optimizer.state.values() for value in state.values() if torch.is_tensor(value)]
    return {
        "cpu_seconds": seconds[1:],
        "trained_parameters": sum(weight.numel() for weight in network.parameters() if weight.requires_grad),
        "parameters": parameters,
        "optimizer_bytes": sum(value.nbytes for value in states),
        "saved_bytes": saved,
        "memory_of_steps_mib": after - before,
    }


def optimizer_of(network: PreTrainedModel, folder: str) -> torch.optim.Optimizer:
    """The Trainer's own."""
    kind, options = Trainer.get_optimizer_cls_and_kwargs(RunArguments(output_dir=folder, use_cpu=True, bf16=False))
    return kind([weight for weight in network.parameters() if weight.requires_grad], **options)


def step(network: PreTrainedModel, optimizer: torch.optim.Optimizer, vocab_size: int, rows: int, length: int) -> float:
    """Processor seconds of a step in float32."""
    input_ids = torch.randint(3, vocab_size, (rows, length))
    start = time.process_time()
    network.train()(input_ids=input_ids, labels=input_ids).loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return time.process_time() - start


def saved_bytes(network: PreTrainedModel, processor: MidiProcessor, folder: Path) -> int:
    """Of all files of the bundle, or of the adapter's."""
    save_bundle(network, processor, folder)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
