"""What styles.py has run: trainings, continuations and their scores by the public scripts, and nats per note."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset, DatasetDict
from measuring import Stopwatch
from style_corpora import once
from transformers import AutoConfig, AutoModelForCausalLM

from neuromusic_hf import MidiProcessor, bundles
from neuromusic_hf.checkpoints.folders import checkpoint_step, last_checkpoint
from neuromusic_hf.models.fit import longest_context, trained_infill_share
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.tokenization.blocks import IGNORED_LABEL
from neuromusic_hf.training import row_statistics

ROOT = Path(__file__).resolve().parents[1]
ROWS_AT_ONCE = 8
RESAMPLES = 2000
SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")


@dataclass(frozen=True)
class Lengths:
    """
    Of continuations.

    Args:
        prompt (`int`): tokens.
        continued (`int`): tokens, at most.
        most_pieces (`int`): prompts, at most.
    """

    prompt: int
    continued: int
    most_pieces: int


def run_script(name: str, arguments: list[str], log: Path) -> dict[str, float]:
    """
    Runs a script of the project to its end, and says what that took.

    Raises:
        `RuntimeError`: it failed; the message says where its log is.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    environment |= {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"}
    command, watch = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *arguments], Stopwatch()
    with open(log, "w", encoding="utf-8") as output:
        done = subprocess.run(command, stdout=output, stderr=output, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"scripts/{name}.py ended with status {done.returncode}: see {log}.")
    return watch.lap()


def train(folder: Path, recipe: Path, options: dict, more: Sequence[str] = ()) -> dict:
    """
    Trains by scripts/train.py, unless the folder holds the finished run; goes on with one that was cut off.

    Args:
        folder (`Path`): of the run.
        recipe (`Path`): that it follows.
        options (`dict`): that override it.
        more (sequence of `str`, *optional*): of the command line, behind them.

    Returns:
        `dict`: steps, the one that was kept, whether training stopped early, parameters and those that were trained,
        what it took since which step, and validation in nats per note by step.
    """
    pairs = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    arguments, beside = [str(recipe), *pairs, *more, "--output_dir", str(folder)], folder.with_name(f"{folder.name}.")
    begun = last_checkpoint(folder)
    arguments += ["--resume_from_checkpoint", "last"] if begun else []
    took = once(
        Path(f"{beside}took.json"),
        lambda: (
            run_script("train", arguments, Path(f"{beside}log.txt"))
            | {"since_step": checkpoint_step(begun) if begun else 0}
        ),
    )
    record = json.loads((folder / "bundle" / "run.json").read_text(encoding="utf-8"))
    course, lora = record["course"], record.get("lora")
    return {
        "optimizer_steps": record["optimizer_steps"],
        "kept_step": course["kept_step"],
        "stopped_early": course["stopped_early_after"] is not None,
        "turned_up": course["turned_up"],
        "parameters": record["parameters"],
        "trained_parameters": lora["trained_parameters"] if lora else record["parameters"],
        "tokens_seen": record["metrics"].get("num_input_tokens_seen"),
        **took,
        "validation": [[each["step"], each["value"]] for each in course["nats_per_note"]],
    }


def new_model_like(bundle: str) -> dict:
    """Options of scripts/train.py for a new model of the sizes and the tokenizer of a bundle."""
    folder = bundles.find_bundle(bundle)
    config = AutoConfig.from_pretrained(folder)
    sizes = {name: getattr(config, name) for name in SIZES}
    return {"model": config.model_type, "tokenization": folder, "infill_share": trained_infill_share(config), **sizes}


def context_of(bundle: str) -> int | None:
    """Tokens that the model of a bundle reads."""
    return longest_context(AutoConfig.from_pretrained(bundles.find_bundle(bundle)))


def continue_and_score(bundle: str, prompts: Path, corpus: Path, folder: Path, lengths: Lengths) -> dict:
    """
    Continues the prompts of a style and scores that, unless it was done before.

    Returns:
        `dict`: the three scores with interval and noise floor, token errors, and novelty against the train split.
    """
    asked = ["--prompt_length", lengths.prompt, "--continue_length", lengths.continued]
    asked += ["--max_items", lengths.most_pieces, "--batch_size", ROWS_AT_ONCE, "--no-save_pictures"]
    output, report = folder / "continuations", folder / "report"
    continued = [str(bundle), str(prompts), *map(str, asked), "--output", str(output)]
    scored = [str(output), "--output", str(report), "--train_corpus", str(corpus), "--num_proc", "1"]
    once(folder / "continued.json", lambda: run_script("continue_midi", continued, folder / "continued.log.txt"))
    once(folder / "scored.json", lambda: run_script("score_continuations", scored, folder / "scored.log.txt"))
    record = json.loads((report / "scores.json").read_text(encoding="utf-8"))
    kept = ("score", "interval", "p_value", "noise_floor", "noise_floor_95", "num_pieces")
    scores = {name: {key: score[key] for key in kept} for name, score in record["scores"].items()}
    return {"scores": scores, "token_errors": record["token_errors"], "novelty": told_novelty(record["novelty"])}


def told_novelty(novelty: dict) -> dict:
    """Without what it says of each piece."""
    return {name: value for name, value in novelty.items() if not isinstance(value, list | dict)}


def measure_nats(bundle: str, corpora: dict[str, Dataset]) -> dict[str, list[list[float]]]:
    """
    Reads pieces with a model: of each piece, the nats that it costs and the notes that these pay for.

    A piece is read from its beginning, in parts of the context's length.

    Args:
        bundle (`str`): folder, or `default`.
        corpora (`dict[str, Dataset]`): rows to read, by name.
    """
    folder = bundles.find_bundle(bundle)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    processor = MidiProcessor.from_pretrained(folder)
    tokens = tokenize_corpus(DatasetDict({name: rows for name, rows in corpora.items()}), processor, num_proc=1)
    found = {}
    for name, rows in tokens.items():
        ids, notes = rows["input_ids"][:], rows["num_notes"][:]
        nats = piece_nats(model, ids, longest_context(model.config))
        found[name] = [[cost, count] for cost, count in zip(nats, notes, strict=True) if count]
    return found


@torch.inference_mode()
def piece_nats(model, pieces: list[list[int]], length: int) -> list[float]:
    """Negative log likelihood of each piece, in nats."""
    parts = [
        (piece, ids[start : start + length])
        for piece, ids in enumerate(pieces)
        for start in range(0, len(ids), length)
    ]
    parts.sort(key=lambda part: len(part[1]))
    nats = np.zeros(len(pieces))
    for first in range(0, len(parts), ROWS_AT_ONCE):
        batch = parts[first : first + ROWS_AT_ONCE]
        longest = max(len(ids) for _, ids in batch)
        labels = torch.tensor([[*ids, *[IGNORED_LABEL] * (longest - len(ids))] for _, ids in batch])
        logits = model(input_ids=labels.clamp(min=0)).logits
        np.add.at(nats, [piece for piece, _ in batch], row_statistics(logits, labels)[:, 0].numpy())
    return nats.tolist()


def compare_nats(pieces: list[list[float]], before: list[list[float]] | None = None, seed: int = 0) -> dict:
    """
    Nats per note over pieces, and how that differs from another model's on the same pieces.

    Args:
        pieces, before (lists of `[nats, notes]`): as of [`measure_nats`].
        seed (`int`, *optional*, defaults to 0): of the bootstrap over pieces.

    Returns:
        `dict` with `nats_per_note`, `pieces`, `notes`; with `before` also `change` and its 95% interval.
    """
    nats, notes = np.array(pieces).T
    figures = {"nats_per_note": nats.sum() / notes.sum(), "pieces": len(notes), "notes": int(notes.sum())}
    if before is None:
        return figures
    gained = nats - np.array(before)[:, 0]
    drawn = np.random.default_rng(seed).integers(len(notes), size=(RESAMPLES, len(notes)))
    changes = gained[drawn].sum(1) / notes[drawn].sum(1)
    interval = np.quantile(changes, [0.025, 0.975]).tolist()
    return figures | {"change": gained.sum() / notes.sum(), "change_interval": interval}
