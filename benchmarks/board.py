"""
Nine small runs, three models by three tokenizers, as one board: curves, a table, and what trackers know of them.

    python benchmarks/board.py --folder runs/board --output benchmarks/results/board.json

Each run is scripts/train.py on the folk tunes that ship with the package, one after the other; those that have ended
are not run again. The models are far too small, and trained far too little, to say which is better.
"""

import argparse
import os
import shutil
import sys
from itertools import product
from pathlib import Path

from measuring import Stopwatch, save_result
from style_runs import run_script

from neuromusic_hf.reports import compare_trainings
from neuromusic_hf.reports.trainings import PICTURE_NAME, read_training

MODELS = ("gpt2", "llama", "music_transformer")
TOKENIZATIONS = ("REMI", "TSD", "Structured")
GROUP = "board"
OPTIONS = {
    "corpus": "folk",
    "context_length": 256,
    "max_eval_blocks": 64,
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 16,
    "learning_rate": "2e-3",
    "lr_scheduler_type": "cosine",
    "warmup_steps": 10,
    "logging_steps": 10,
    "save_strategy": "no",
    "eval_on_start": "true",
    "infill_share": 0,
    "seed": 1,
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/board"), help="of the runs")
    parser.add_argument("--max_steps", type=int, default=60, help="of each run")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/board.json"))
    return parser.parse_args()


def main():
    args = parse_arguments()
    os.environ |= {
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(args.folder),
        "WANDB_PROJECT": GROUP,
        "WANDB_SILENT": "true",
    }
    os.environ["TRACKIO_DIR"] = str((args.folder / "trackio").absolute())
    watch, folders = Stopwatch(), []
    for model, tokenization in product(MODELS, TOKENIZATIONS):
        folder = args.folder / f"folk-{model}-{tokenization}"
        folders.append(folder)
        if not (folder / "bundle" / "run.json").is_file():
            train(folder, model, tokenization, args.max_steps)
    table = compare_trainings(folders, args.folder / "comparison")
    shutil.copyfile(table.with_name(PICTURE_NAME), args.output.with_suffix(".png"))
    print(table.read_text(encoding="utf-8"))
    figures = {"settings": OPTIONS | {"max_steps": args.max_steps}, "runs": [row(folder) for folder in folders]}
    figures |= {"trackio": trackio_runs(), "wandb_runs": wandb_runs(args.folder), **watch.lap()}
    save_result(args.output, "board", figures)


def train(folder: Path, model: str, tokenization: str, max_steps: int):
    steps = {"max_steps": max_steps, "eval_steps": max(1, max_steps // 10)}
    own = {"model": model, "tokenization": tokenization, "output_dir": folder, "run_name": folder.name}
    options = OPTIONS | steps | own | {"run_group": GROUP, "project": GROUP}
    pairs = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    print(f"{folder.name} ...", file=sys.stderr, flush=True)
    run_script("train", [*pairs, "--report_to", "wandb", "trackio", "tensorboard"], folder.with_suffix(".log"))


def row(folder: Path) -> dict:
    """What the board says of a run."""
    training = read_training(folder)
    return {
        "name": training.name,
        "model": training.model,
        "tokenizer": training.tokenizer,
        "parameters": training.record.parameters,
        "best_nats_per_note": training.best.value,
        "at_step": training.best.step,
        "nats_per_note": [[each.step, each.value] for each in training.evaluations],
    }


def trackio_runs() -> list[dict]:
    """Names, groups and tags as Trackio has them."""
    import trackio

    runs = [(run.name, run.config) for run in trackio.Api().runs(GROUP)]
    return [{"name": name, "group": config["_Group"], "tags": config["tags"]} for name, config in sorted(runs)]


def wandb_runs(folder: Path) -> int:
    """Runs that W&B wrote, each in a file of its own."""
    return len(list(folder.glob("wandb/offline-run-*/*.wandb")))


if __name__ == "__main__":
    main()
