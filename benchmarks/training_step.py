"""Measures optimizer steps of GPT-2 and Llama as this project builds them, beside transformers' defaults.

    python benchmarks/training_step.py --sizes full,small

Every run is a fresh process. README.md says what each figure means.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from measuring import RESULTS, FreshRun, alternating, answer_task, run_fresh, save_result, spread
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, Trainer

from neuromusic_hf import MidiProcessor, build_model, load_corpus
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.training import DataArguments, RunArguments, TrainingBlocks, create_trainer

OURS, DEFAULTS, TRAINER = "ours", "transformers_defaults", "trainer"
SMALL = {"num_hidden_layers": 4, "hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024}
FULL_GPT2 = {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 1536}
FULL_LLAMA = {"num_hidden_layers": 12, "hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096}
TINY = {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
MODELS = {
    "full": {"gpt2": FULL_GPT2, "llama": FULL_LLAMA},
    "small": {"gpt2": SMALL, "llama": SMALL},
    "tiny": {"gpt2": TINY, "llama": TINY},
}
"""Config arguments by size and model. `tiny` tells nothing about speed; it is for the tests."""
BATCHES = {"full": (1, 1024), "small": (8, 512), "tiny": (2, 64)}
"""Rows and tokens a row of a batch, by size."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="full,small", help=f"of {', '.join(MODELS)}, joined by commas")
    parser.add_argument("--models", default="gpt2,llama", help="of gpt2, llama, joined by commas")
    parser.add_argument("--steps", type=int, default=5, help="timed in a run, after one that is not")
    parser.add_argument("--repetitions", type=int, default=3, help="of every run")
    parser.add_argument("--max_pieces", type=int, default=400, help="folk tunes that the Trainer's blocks come from")
    parser.add_argument("--output", type=Path, default=RESULTS / "training_step.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    chosen = [(size, model) for size in args.sizes.split(",") for model in args.models.split(",")]
    unknown = [f"{size} {model}" for size, model in chosen if model not in MODELS.get(size, {})]
    if unknown:
        parser.error(f"no such size and model: {', '.join(unknown)}")
    with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as cache:
        figures = {f"{model}_{size}": measure(size, model, args, cache) for size, model in chosen}
    print_table(figures)
    settings = {"steps": args.steps, "repetitions": args.repetitions, "max_pieces": args.max_pieces}
    save_result(args.output, "training_step", {"settings": settings, "models": figures})


def measure(size: str, model: str, args: argparse.Namespace, cache: str) -> dict:
    """All runs of one model at one size, and their figures."""
    task = {"size": size, "model": model, "steps": args.steps, "max_pieces": args.max_pieces, "folder": cache}
    environment = {"HF_HOME": cache, "HF_DATASETS_CACHE": f"{cache}/datasets", "HF_HUB_OFFLINE": "1"}
    environment["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    runs = {DEFAULTS: [], OURS: [], TRAINER: []}
    for repetition, name in alternating(list(runs), args.repetitions):
        run = run_fresh(__file__, {"name": name, **task}, environment)
        runs[name].append(run)
        speed = spread(run.result["tokens_per_second"])["median"]
        done = f"repetition {repetition + 1} of {args.repetitions}"
        print(f"{model} {size}, {done}: {name} {speed:.0f} tokens/s", flush=True)
    figures = {name: figures_of(row) for name, row in runs.items()}
    speeds = {name: figures[name]["tokens_per_second"]["median"] for name in runs}
    waits = [run.result["loader_seconds"] / run.result["step_seconds"] for run in runs[TRAINER]]
    figures[TRAINER]["loader_share"] = spread(waits)
    return {
        "sizes": MODELS[size][model],
        "batch": BATCHES[size],
        **figures,
        "ratios": {
            "ours_to_defaults": speeds[OURS] / speeds[DEFAULTS],
            "trainer_to_ours": speeds[TRAINER] / speeds[OURS],
        },
    }


def figures_of(runs: list[FreshRun]) -> dict:
    """Speed of all steps of all repetitions, peak memory, and the facts of the model."""
    speeds = [speed for run in runs for speed in run.result["tokens_per_second"]]
    facts = {name: runs[0].result[name] for name in ("parameters", "precision", "optimizer")}
    device = [run.result["peak_device_memory_mib"] for run in runs]
    return {
        **facts,
        "tokens_per_second": spread(speeds),
        "peak_memory_mib": spread([run.peak_memory_mib[0] for run in runs]),
        **({"peak_device_memory_mib": spread(device)} if any(device) else {}),
    }


def run_task(name: str, size: str, model: str, steps: int, max_pieces: int, folder: str) -> dict:
    """One run, in its own process."""
    torch.manual_seed(0)
    processor = MidiProcessor.from_tokenization("REMI")
    rows, length = BATCHES[size]
    args = RunArguments(
        output_dir=f"{folder}/run",
        bf16=False if name == DEFAULTS else None,
        per_device_train_batch_size=rows,
        dataloader_num_workers=0,
        max_steps=steps + 2,
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    if name == DEFAULTS:
        network = default_model(model, processor.vocab_size, length, MODELS[size][model])
    else:
        network = build_model(model, processor, context_length=length, **MODELS[size][model])
    if name == TRAINER:
        timed = train(network, processor, args, length, max_pieces)
    else:
        timed = step(network, args, rows, length)
    return {
        **timed,
        "parameters": network.num_parameters(),
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


def step(model: PreTrainedModel, args: RunArguments, rows: int, length: int) -> dict:
    """Forward, backward, clipping and AdamW on random tokens, as the Trainer does them and nothing around them."""
    accelerator = Accelerator(cpu=args.use_cpu, mixed_precision="bf16" if args.bf16 else "no")
    optimizer_class, options = Trainer.get_optimizer_cls_and_kwargs(args)
    model, optimizer = accelerator.prepare(model, optimizer_class(model.parameters(), **options))
    model.train()
    seconds = []
    for _ in range(args.max_steps - 1):
        input_ids = torch.randint(3, model.config.vocab_size, (rows, length), device=accelerator.device)
        synchronize()
        start = time.perf_counter()
        accelerator.backward(model(input_ids=input_ids, labels=input_ids).loss)
        accelerator.clip_grad_norm_(model.parameters(), args.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        synchronize()
        seconds.append(time.perf_counter() - start)
    return {"tokens_per_second": [rows * length / value for value in seconds[1:]]}


def synchronize():
    """Waits for the accelerator, if there is one."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


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
    """Prints tokens/s (median, min to max), peak memory, ratios and the loader's share."""
    print(f"\n{'':14}{'':23}{'tokens/s':>9}{'min':>9}{'max':>9}{'peak MiB':>10}  precision")
    for name, row in figures.items():
        for run in (DEFAULTS, OURS, TRAINER):
            speed, memory = row[run]["tokens_per_second"], row[run]["peak_memory_mib"]["max"]
            cells = "".join(f"{speed[key]:>9.0f}" for key in ("median", "min", "max"))
            print(f"{name:14}{run:23}{cells}{memory:>10.0f}  {row[run]['precision']}")
        share = row[TRAINER]["loader_share"]["median"]
        print(f"{'':14}ours to defaults {row['ratios']['ours_to_defaults']:.2f}, loader's share {share:.2%}")


if __name__ == "__main__":
    main()
