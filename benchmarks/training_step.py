"""Measures optimizer steps of models as this project builds them, beside what one would build without it.

    python benchmarks/training_step.py --sizes full,small

Every run is a fresh process. README.md says what each figure means.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from accelerate import Accelerator
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
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, Trainer

from neuromusic_hf import MidiProcessor, build_model, load_corpus
from neuromusic_hf.models.flops import training_flops_per_token
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.training import DataArguments, RunArguments, TrainingBlocks, create_trainer

OURS, DEFAULTS, NAIVE, TRAINER = "ours", "transformers_defaults", "naive", "trainer"
PEERS = {"gpt2": DEFAULTS, "llama": DEFAULTS, "music_transformer": NAIVE}
"""What each model is held against, in float32: transformers has no Music Transformer."""
SMALL = {"num_hidden_layers": 4, "hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024}
FULL = {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 1536}
FULL_LLAMA = {"num_hidden_layers": 12, "hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096}
TINY = {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
MODELS = {
    "full": {"gpt2": FULL, "llama": FULL_LLAMA, "music_transformer": FULL},
    "small": {"gpt2": SMALL, "llama": SMALL, "music_transformer": SMALL},
    "gpu": {"gpt2": FULL, "llama": FULL_LLAMA, "music_transformer": FULL},
    "tiny": {"gpt2": TINY, "llama": TINY, "music_transformer": TINY},
}
"""Config arguments by size and model. `tiny` tells nothing about speed; it is for the tests."""
BATCHES = {"full": (1, 1024), "small": (8, 512), "gpu": (8, 2048), "tiny": (2, 64)}
"""Rows and tokens a row of a batch, by size."""
RATIO_TO_PEER = {DEFAULTS: "ours_to_defaults", NAIVE: "ours_to_naive"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="full,small", help=f"of {', '.join(MODELS)}, joined by commas")
    parser.add_argument("--models", default=",".join(PEERS), help=f"of {', '.join(PEERS)}, joined by commas")
    parser.add_argument("--rows", type=int, help="of a batch, in place of those of the sizes")
    parser.add_argument("--steps", type=int, default=5, help="timed in a run, after one that is not")
    parser.add_argument("--repetitions", type=int, default=3, help="of every run")
    parser.add_argument("--max_pieces", type=int, default=400, help="folk tunes that the Trainer's blocks come from")
    parser.add_argument("--peak_tflops", type=float, help="what the device can do in bf16, to tell how much is used")
    parser.add_argument("--output", type=Path, default=RESULTS / "training_step.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    sizes, models = args.sizes.split(","), args.models.split(",")
    unknown = [f"{size} {model}" for size in sizes for model in models if model not in MODELS.get(size, {})]
    if unknown:
        parser.error(f"no such size and model: {', '.join(unknown)}")
    figures, ratios = {}, {}
    with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as cache:
        for size in sizes:
            rows = measure(size, models, args, cache)
            figures |= {f"{model}_{size}": row for model, row in rows.items()}
            ratios[size] = between_models(rows)
    targets = targets_of(figures, ratios)
    print_table(figures)
    print_targets(targets)
    settings = {"steps": args.steps, "repetitions": args.repetitions, "max_pieces": args.max_pieces}
    settings |= {"peak_tflops": args.peak_tflops} if args.peak_tflops else {}
    results = {"settings": settings, "models": figures, "ratios": ratios, "targets": targets}
    save_result(args.output, "training_step", results)


def measure(size: str, models: list[str], args: argparse.Namespace, cache: str) -> dict[str, dict]:
    """All runs of the models at one size, in one alternating order, and the figures of each model."""
    rows, length = args.rows or BATCHES[size][0], BATCHES[size][1]
    task = {"size": size, "rows": rows, "steps": args.steps, "max_pieces": args.max_pieces, "folder": cache}
    environment = {"HF_HOME": cache, "HF_DATASETS_CACHE": f"{cache}/datasets", "HF_HUB_OFFLINE": "1"}
    environment["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    runs = {(model, name): [] for model in models for name in (PEERS[model], OURS, TRAINER)}
    for repetition, (model, name) in alternating(list(runs), args.repetitions):
        run = run_fresh(__file__, {"name": name, "model": model, **task}, environment)
        runs[model, name].append(run)
        speed = spread(run.result["tokens_per_second"])["median"]
        done = f"repetition {repetition + 1} of {args.repetitions}"
        print(f"{model} {size}, {done}: {name} {speed:.0f} tokens/s", flush=True)
    by_model = {model: {name: row for (of, name), row in runs.items() if of == model} for model in models}
    return {
        model: {"sizes": MODELS[size][model], "batch": (rows, length), **model_figures(PEERS[model], by_name, args)}
        for model, by_name in by_model.items()
    }


def model_figures(peer: str, runs: dict[str, list[FreshRun]], args: argparse.Namespace) -> dict:
    """Figures of every run of a model, and their ratios."""
    figures = {name: figures_of(row, args.peak_tflops) for name, row in runs.items()}
    speeds = {name: figures[name]["tokens_per_second"]["median"] for name in runs}
    waits = [run.result["loader_seconds"] / run.result["step_seconds"] for run in runs[TRAINER]]
    figures[TRAINER]["loader_share"] = spread(waits)
    ratios = {
        RATIO_TO_PEER[peer]: speeds[OURS] / speeds[peer],
        "trainer_to_ours": speeds[TRAINER] / speeds[OURS],
    }
    return {**figures, "ratios": ratios}


def figures_of(runs: list[FreshRun], peak_tflops: float | None) -> dict:
    """Speed of all steps of all repetitions, peak memory, and the facts of the model."""
    speeds = [speed for run in runs for speed in run.result["tokens_per_second"]]
    facts = {name: runs[0].result[name] for name in ("parameters", "precision", "optimizer", "flops_per_token")}
    device = [run.result["peak_device_memory_mib"] for run in runs]
    figures = {
        **facts,
        "tokens_per_second": spread(speeds),
        "peak_memory_mib": spread([run.peak_memory_mib[0] for run in runs]),
    }
    if any(device):
        figures["peak_device_memory_mib"] = spread(device)
    if peak_tflops:
        used = figures["tokens_per_second"]["median"] * facts["flops_per_token"]
        figures["model_flops_utilisation"] = used / (peak_tflops * 1e12)
    return figures


def between_models(rows: dict[str, dict]) -> dict[str, float]:
    """The Music Transformer's tokens/s to those of GPT-2, if both ran."""
    speeds = {model: row[OURS]["tokens_per_second"]["median"] for model, row in rows.items()}
    if not {"gpt2", "music_transformer"} <= speeds.keys():
        return {}
    return {"music_transformer_to_gpt2": speeds["music_transformer"] / speeds["gpt2"]}


def targets_of(figures: dict[str, dict], ratios: dict[str, dict]) -> dict[str, dict]:
    """Bounds on the speed of the Music Transformer."""
    targets = {}
    if "music_transformer_full" in figures:
        to_naive = figures["music_transformer_full"]["ratios"]["ours_to_naive"]
        targets["full, tokens/s, Music Transformer, ours to naive"] = target(to_naive, at_least=4.0)
    for size, row in ratios.items():
        for to_gpt2 in row.values():
            targets[f"{size}, tokens/s, Music Transformer to GPT-2"] = target(to_gpt2, at_least=0.6)
    return targets


def run_task(name: str, size: str, model: str, rows: int, steps: int, max_pieces: int, folder: str) -> dict:
    """One run, in its own process."""
    torch.manual_seed(0)
    processor = MidiProcessor.from_tokenization("REMI")
    length, sizes = BATCHES[size][1], MODELS[size][model]
    args = RunArguments(
        output_dir=f"{folder}/run",
        bf16=False if name in (DEFAULTS, NAIVE) else None,
        per_device_train_batch_size=rows,
        dataloader_num_workers=0,
        max_steps=steps + 2,
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    counted = build_model(model, processor, context_length=length, **sizes)
    if name == DEFAULTS:
        network = default_model(model, processor.vocab_size, length, sizes)
    elif name == NAIVE:
        network = NaiveMusicTransformer(processor.vocab_size, length, **sizes)
    else:
        network = counted
    if name == TRAINER:
        timed = train(network, processor, args, length, max_pieces)
    else:
        timed = step(network, args, processor.vocab_size, length)
    return {
        **timed,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "flops_per_token": training_flops_per_token(counted, length),
        "precision": "bf16 autocast" if args.bf16 else "float32",
        "optimizer": str(getattr(args.optim, "value", args.optim)),
        "peak_device_memory_mib": torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0,
    }


def default_model(name: str, vocab_size: int, length: int, sizes: dict) -> PreTrainedModel:
    """The same class, sizes and vocabulary, and everything else as transformers has it."""
    if name == "gpt2":
        sizes = {"n_inner" if key == "intermediate_size" else key: value for key, value in sizes.items()}
    tokens = {"vocab_size": vocab_size, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = AutoConfig.for_model(name, max_position_embeddings=length, **tokens, **sizes)
    return AutoModelForCausalLM.from_config(config)


def step(model: nn.Module, args: RunArguments, vocab_size: int, length: int) -> dict:
    """Forward, backward, clipping and AdamW on random tokens, as the Trainer does them and nothing around them."""
    rows = args.per_device_train_batch_size
    accelerator = Accelerator(cpu=args.use_cpu, mixed_precision="bf16" if args.bf16 else "no")
    optimizer_class, options = Trainer.get_optimizer_cls_and_kwargs(args)
    model, optimizer = accelerator.prepare(model, optimizer_class(model.parameters(), **options))
    model.train()
    seconds = []
    for _ in range(args.max_steps - 1):
        input_ids = torch.randint(3, vocab_size, (rows, length), device=accelerator.device)
        synchronize()
        start = time.perf_counter()
        accelerator.backward(model(input_ids=input_ids, labels=input_ids).loss)
        accelerator.clip_grad_norm_(model.parameters(), args.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        synchronize()
        seconds.append(time.perf_counter() - start)
    return {"tokens_per_second": [rows * length / value for value in seconds[1:]]}


def train(model: PreTrainedModel, processor: MidiProcessor, args: RunArguments, length: int, max_pieces: int) -> dict:
    """
    The Trainer on real blocks: a step lasts from asking for a batch to asking for the next one, and part of it is
    waiting for the batch.
    """
    corpus = load_corpus("folk", max_pieces=max_pieces)
    data_args = DataArguments(corpus="folk", max_pieces=max_pieces, context_length=length)
    blocks = TrainingBlocks.from_tokens(tokenize_corpus(corpus, processor), data_args, args.seed)
    trainer = create_trainer(model, processor, blocks, data_args, args, recipe={})
    loader = TimedLoader(trainer.get_train_dataloader())
    trainer.get_train_dataloader = lambda: loader
    trainer.train()
    asked, waited = loader.asked[1:], loader.waited[1:-1]
    steps = [end - start for start, end in zip(asked, asked[1:], strict=False)]
    return {
        "tokens_per_second": [args.per_device_train_batch_size * length / value for value in steps],
        "loader_seconds": sum(waited),
        "step_seconds": sum(steps),
    }


class TimedLoader:
    """A data loader that notes when it was asked for a batch and how long the answer took, in seconds."""

    def __init__(self, loader):
        self.loader = loader
        self.asked = []
        self.waited = []

    def __len__(self) -> int:
        return len(self.loader)

    def __getattr__(self, name: str):
        return getattr(self.loader, name)

    def __iter__(self):
        batches = iter(self.loader)
        while True:
            synchronize()
            start = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                return
            self.asked.append(start)
            self.waited.append(time.perf_counter() - start)
            yield batch


def print_table(figures: dict[str, dict]):
    """Prints tokens/s (median, min to max), peak memory, ratios, the loader's share, and how much of the device is
    used."""
    print(f"\n{'':24}{'':23}{'tokens/s':>9}{'min':>9}{'max':>9}{'peak MiB':>10}  precision")
    for name, row in figures.items():
        runs = {run: row[run] for run in (*PEERS.values(), OURS, TRAINER) if run in row}
        for run, found in runs.items():
            cells = "".join(f"{found['tokens_per_second'][key]:>9.0f}" for key in ("median", "min", "max"))
            used = f", {found['model_flops_utilisation']:.1%} used" if "model_flops_utilisation" in found else ""
            print(f"{name:24}{run:23}{cells}{found['peak_memory_mib']['max']:>10.0f}  {found['precision']}{used}")
        ratios = ", ".join(f"{key} {value:.2f}" for key, value in row["ratios"].items())
        print(f"{'':24}{ratios}, loader's share {row[TRAINER]['loader_share']['median']:.2%}")


if __name__ == "__main__":
    main()
