"""Measures what settings of the vocabulary keep of the music, and what they cost.

    python benchmarks/vocabularies.py bach folk maestro-v2.0.0-midi.zip lamd-sample.zip lieder-cc0.zip --device cuda

For each tokenizer and each settings: ids, tokens a note, what is lost by the tally; and nats per
note of a small Llama, trained on the same notes of all corpora, in the same order. README.md says what each figure
means.
"""

import argparse
import itertools
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from measuring import RESULTS, save_result
from torch.nn.functional import cross_entropy

from neuromusic_hf import MidiProcessor, build_model, load_corpus
from neuromusic_hf.tokenization.tally import Tally

TOKENIZATIONS = ("REMI", "TSD", "Structured")
FIELD_OF_BEFORE = {
    "pitch_range": (21, 109),
    "drums_pitch_range": (27, 88),
    "beat_res": {(0, 4): 8, (4, 12): 4},
    "time_signature_range": {4: [1, 2, 3, 4, 5, 6, 7], 8: [3, 5, 6, 7, 9, 12]},
}
BEFORE, DEFAULT = "before", "default"
LONG = {(beat, beat + 1): 1 for step, first in ((2, 32), (4, 64), (8, 128)) for beat in range(first, 2 * first, step)}
SETTINGS = {
    BEFORE: FIELD_OF_BEFORE,
    DEFAULT: {},
    "8 a beat": {"beat_res": {(0, 4): 8, (4, 12): 4, (12, 32): 1} | LONG},
    "12 a beat": {"beat_res": {(0, 4): 12, (4, 12): 4, (12, 32): 1} | LONG},
    "few meters": {"time_signature_range": {2: [2, 3], 4: [1, 2, 3, 4, 5, 6], 8: [3, 5, 6, 7, 9, 12], 16: [3, 5, 9]}},
}
"""What replaces the project's settings. `before` also has miditok's own preprocessing alone."""
STRUCTURED_SETTINGS = {
    BEFORE: FIELD_OF_BEFORE | {"beat_res": {(0, 12): 8}},
    DEFAULT: {},
    "8 a beat": {"beat_res": {(0, 12): 8, (12, 16): 4, (16, 32): 2} | LONG},
}
MODEL = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 768}
WARM_UP_SHARE, LEARNING_RATE = 0.05, 1e-3
MOST_NOTES = 2048
"""Of a piece, so that long pieces do not outweigh the others."""


@dataclass
class Encoded:
    """
    A split of a corpus as ids.

    Args:
        excerpts (list of `list[int]`): of so many notes each.
        notes (`int`): in them.
        tokens (`int`): in them.
        changed ([`Tally`]): what the tokenizer changed in the pieces.
    """

    excerpts: list[list[int]]
    notes: int = 0
    tokens: int = 0
    changed: Tally = Tally()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="+", help="names or paths, as of load_corpus")
    parser.add_argument("--device", default="cpu", help="of the models")
    parser.add_argument("--steps", type=int, default=1200, help="of the optimizer, for each model")
    parser.add_argument("--batch_size", type=int, default=64, help="excerpts a step")
    parser.add_argument("--excerpt_notes", type=int, default=64, help="notes of an excerpt")
    parser.add_argument("--max_pieces", type=int, default=150, help="of each corpus")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tokenizations", default=",".join(TOKENIZATIONS), help="joined by commas")
    parser.add_argument("--settings", help=f"of {', '.join(SETTINGS)}, joined by commas; all if not given")
    parser.add_argument("--output", type=Path, default=RESULTS / "vocabularies.json", help="result file")
    args = parser.parse_args()
    cases = chosen_cases(args, parser)
    start = time.perf_counter()
    cache_corpora(args)
    figures = {}
    workers = min(len(cases), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        encoded = pool.map(encode_case, itertools.repeat(args), *zip(*cases, strict=True))
        for (tokenization, name), splits in zip(cases, encoded, strict=True):
            figures.setdefault(tokenization, {})[name] = measure(args, tokenization, name, splits)
            seconds = time.perf_counter() - start
            print_row(tokenization, name, figures[tokenization][name], seconds)
    save_result(args.output, "vocabularies", {"settings": shown_settings(args), "tokenizers": figures})
    plot(figures, args.output.with_suffix(".png"))


def chosen_cases(args: argparse.Namespace, parser: argparse.ArgumentParser) -> list[tuple[str, str]]:
    """Pairs of a tokenizer and its settings."""
    wanted = args.settings.split(",") if args.settings else list(SETTINGS)
    if unknown := [name for name in wanted if name not in SETTINGS]:
        parser.error(f"there are no settings {', '.join(unknown)}, but {', '.join(SETTINGS)}")
    return [(each, name) for each in args.tokenizations.split(",") for name in settings_of(each) if name in wanted]


def settings_of(tokenization: str) -> dict[str, dict]:
    """By name."""
    return STRUCTURED_SETTINGS if tokenization == "Structured" else SETTINGS


def shown_settings(args: argparse.Namespace) -> dict:
    """What was asked, without paths."""
    shown = {name: value for name, value in vars(args).items() if name not in ("output", "corpora")}
    return shown | {"corpora": [Path(name).stem for name in args.corpora], "model": MODEL}


def cache_corpora(args: argparse.Namespace):
    """Reads every corpus once, so that the processes find it read."""
    for name in args.corpora:
        load_corpus(name, max_pieces=args.max_pieces, num_proc=os.cpu_count())


def encode_case(args: argparse.Namespace, tokenization: str, name: str) -> dict[str, dict[str, Encoded]]:
    """Train and validation split of each corpus, for one tokenizer and its settings."""
    processor = MidiProcessor.from_tokenization(tokenization, **settings_of(tokenization)[name])
    mended = name != BEFORE
    return {
        Path(corpus).stem: {
            split: encode(processor, rows, args.excerpt_notes, mended)
            for split, rows in load_corpus(corpus, max_pieces=args.max_pieces).items()
            if split != "test"
        }
        for corpus in args.corpora
    }


def encode(processor: MidiProcessor, rows, excerpt_notes: int, mended: bool) -> Encoded:
    """Ids of pieces in excerpts, and what is kept of them."""
    found = Encoded([])
    last = np.array([text.startswith("Duration") for text in processor.tokenizer.convert_ids_to_tokens(
        list(range(processor.vocab_size)))])  # fmt: skip
    for row in rows:
        score = row["midi"]
        quantised = processor.quantise(score) if mended else processor.music_tokenizer.preprocess_score(score)
        found.changed += processor.tally_quantised(score, quantised)
        if not quantised.note_num():
            continue
        ids = np.array(processor.encode_quantised(quantised))
        ends = np.flatnonzero(last[ids])[:MOST_NOTES] + 1
        found.notes += len(ends)
        found.tokens += int(ends[-1])
        cuts = [0, *ends[excerpt_notes - 1 : -1 : excerpt_notes], ends[-1]]
        found.excerpts += [ids[first:end].tolist() for first, end in itertools.pairwise(cuts)]
    return found


def measure(args: argparse.Namespace, tokenization: str, name: str, splits: dict[str, dict[str, Encoded]]) -> dict:
    """The figures of one tokenizer with one settings."""
    processor = MidiProcessor.from_tokenization(tokenization, **settings_of(tokenization)[name])
    model = train(args, processor, [row for corpus in splits.values() for row in corpus["train"].excerpts])
    corpora = {}
    for corpus, parts in splits.items():
        both = list(parts.values())
        changed = sum((part.changed for part in both), Tally())
        held_out = parts["validation"]
        corpora[corpus] = {
            "tokens_a_note": sum(part.tokens for part in both) / max(1, sum(part.notes for part in both)),
            "share_of_sounding_time_lost": changed.lost_share,
            "changed": changed.to_dict(),
            "nats_per_note": nats(args, model, held_out.excerpts) / max(1, held_out.notes),
        }
    return {"ids": processor.vocab_size, "parameters": model.num_parameters(), "corpora": corpora}


def train(args: argparse.Namespace, processor: MidiProcessor, excerpts: list[list[int]]) -> torch.nn.Module:
    """A model trained on batches of excerpts, drawn as the seed says: the same pieces for any vocabulary."""
    torch.manual_seed(args.seed)
    longest = max(map(len, excerpts))
    model = build_model("llama", processor, context_length=longest, **MODEL).to(args.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01, betas=(0.9, 0.98))
    warm_up = max(1, int(WARM_UP_SHARE * args.steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm_up, 1.0) * (1 - step / (args.steps + 1))
    )
    random = np.random.default_rng(args.seed)
    for _ in range(args.steps):
        chosen = random.integers(len(excerpts), size=args.batch_size)
        loss, count = total_loss(args, model, [excerpts[index] for index in chosen])
        (loss / count).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    return model.eval()


@torch.no_grad()
def nats(args: argparse.Namespace, model: torch.nn.Module, excerpts: list[list[int]]) -> float:
    """Of all tokens of excerpts."""
    size = args.batch_size
    batches = [excerpts[first : first + size] for first in range(0, len(excerpts), size)]
    return sum(total_loss(args, model, rows)[0].item() for rows in batches)


def total_loss(args: argparse.Namespace, model, rows: list[list[int]]) -> tuple[torch.Tensor, int]:
    """Nats of the tokens of rows, each after BOS and those before it, and how many they are."""
    bos, pad = model.config.bos_token_id, model.config.pad_token_id
    width = 1 + max(map(len, rows))
    ids = torch.tensor([[bos, *row] + [pad] * (width - 1 - len(row)) for row in rows]).to(args.device)
    with torch.autocast(torch.device(args.device).type, torch.bfloat16, enabled=args.device != "cpu"):
        logits = model(input_ids=ids[:, :-1]).logits
    loss = cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad, reduction="sum")
    return loss, sum(map(len, rows))


def print_row(tokenization: str, name: str, figures: dict, seconds: float):
    """As soon as it is measured."""
    print(f"{tokenization} {name}: {figures['ids']} ids ({seconds:.0f} s)")
    for corpus, row in figures["corpora"].items():
        print(
            f"    {corpus:24}{row['tokens_a_note']:7.3f} tokens a note{row['share_of_sounding_time_lost']:9.3%} lost"
            f"{row['changed'].get('meters_replaced', 0):6} meters replaced{row['nats_per_note']:9.3f} nats a note"
        )
    sys.stdout.flush()


def plot(figures: dict[str, dict], path: Path):
    """Nats per note and sounding time lost, a panel for each tokenizer."""
    figure = Figure(figsize=(5 * len(figures), 8), layout="constrained")
    axes = figure.subplots(2, len(figures), squeeze=False)
    for column, (tokenization, by_name) in zip(axes.T, figures.items(), strict=True):
        for index, (name, entry) in enumerate(by_name.items()):
            places = np.arange(len(entry["corpora"])) + 0.8 * index / len(by_name)
            rows = entry["corpora"].values()
            label = f"{name}: {entry['ids']} ids"
            column[0].bar(places, [row["nats_per_note"] for row in rows], 0.75 / len(by_name), label=label)
            lost = [100 * row["share_of_sounding_time_lost"] for row in rows]
            column[1].bar(places, lost, 0.75 / len(by_name))
        for panel, title in zip(column, ("nats per note", "sounding time lost, %"), strict=True):
            panel.set_xticks(np.arange(len(entry["corpora"])) + 0.3, entry["corpora"], rotation=30)
            panel.set_ylabel(title)
        column[0].set_title(tokenization)
        column[0].legend(fontsize="small")
    figure.savefig(path, dpi=120)
    print(f"Written: {path}")


if __name__ == "__main__":
    main()
