"""Measures what settings of the vocabulary keep of the music, and what they cost.

    python benchmarks/vocabularies.py bach folk maestro-v2.0.0-midi.zip lamd-sample.zip lieder-cc0.zip --device cuda

Where the corpora are on one machine and the GPU is on another, `--encoded FOLDER --steps 0` encodes on the first, and
`--encoded FOLDER --device cuda` trains on the second, which needs torch, transformers and matplotlib only.

For each tokenizer and each settings: ids, tokens a note, what is lost by the tally; and nats per
note of a small Llama, trained on the same notes of all corpora, in the same order. README.md says what each figure
means.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from measuring import RESULTS, save_result
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

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
        excerpts (list of `np.ndarray` of shape `(tokens,)`): of so many notes each.
        notes (`int`): in them.
        tokens (`int`): in them.
    """

    excerpts: list[np.ndarray]
    notes: int = 0
    tokens: int = 0


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
    parser.add_argument("--encoded", type=Path, help="folder of ids: what is there is not encoded again")
    parser.add_argument("--output", type=Path, default=RESULTS / "vocabularies.json", help="result file")
    args = parser.parse_args()
    cases = chosen_cases(args, parser)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        args.encoded = args.encoded or Path(scratch)
        encode_missing(args, cases)
        if not args.steps:
            return
        figures = {}
        for tokenization, name in cases:
            row = measure(args, load_case(args.encoded, tokenization, name))
            figures.setdefault(tokenization, {})[name] = row
            print_row(tokenization, name, row, time.perf_counter() - start)
    save_result(args.output, "vocabularies", {"settings": shown_settings(args), "tokenizers": figures})
    plot(figures, args.output.with_suffix(".png"))


def encode_missing(args: argparse.Namespace, cases: list[tuple[str, str]]):
    """Encodes the cases that are not in the folder yet, in processes side by side."""
    missing = [case for case in cases if not case_path(args.encoded, *case).is_file()]
    if not missing:
        return
    args.encoded.mkdir(parents=True, exist_ok=True)
    cache_corpora(args)
    workers = min(len(missing), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(encode_case, itertools.repeat(args), *zip(*missing, strict=True)))


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
    shown = {name: value for name, value in vars(args).items() if name not in ("output", "corpora", "encoded")}
    return shown | {"corpora": [Path(name).stem for name in args.corpora], "model": MODEL}


def cache_corpora(args: argparse.Namespace):
    """Reads every corpus once, so that the processes find it read."""
    from neuromusic_hf import load_corpus

    for name in args.corpora:
        load_corpus(name, max_pieces=args.max_pieces, num_proc=os.cpu_count())


def encode_case(args: argparse.Namespace, tokenization: str, name: str):
    """Saves the train and validation split of each corpus, for one tokenizer and its settings."""
    from neuromusic_hf import MidiProcessor, load_corpus
    from neuromusic_hf.tokenization.tally import Tally

    processor = MidiProcessor.from_tokenization(tokenization, **settings_of(tokenization)[name])
    splits, changed = {}, {}
    for corpus in args.corpora:
        loaded = load_corpus(corpus, max_pieces=args.max_pieces)
        parts = {
            split: encode(processor, loaded[split], args.excerpt_notes, mended=name != BEFORE)
            for split in ("train", "validation")
        }
        total = sum((tally for _, tally in parts.values()), Tally())
        changed[Path(corpus).stem] = {"share_of_sounding_time_lost": total.lost_share, "changed": total.to_dict()}
        splits[Path(corpus).stem] = {split: found for split, (found, _) in parts.items()}
    tokenizer = processor.tokenizer
    vocabulary = {
        "vocab_size": processor.vocab_size,
        "bos_token_id": tokenizer.bos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    save_case(case_path(args.encoded, tokenization, name), vocabulary, changed, splits)


def case_path(folder: Path, tokenization: str, name: str) -> Path:
    """The file of one tokenizer with one settings."""
    return folder / f"{tokenization}-{name.replace(' ', '_')}.npz"


def save_case(path: Path, vocabulary: dict, changed: dict, splits: dict[str, dict[str, Encoded]]):
    """As arrays of ids, one a split, and JSON."""
    arrays, facts = {}, {}
    for corpus, parts in splits.items():
        for split, part in parts.items():
            arrays[f"{corpus}/{split}"] = np.concatenate(part.excerpts).astype(np.uint16)
            numbers = asdict(part) | {"excerpts": [len(excerpt) for excerpt in part.excerpts]}
            facts.setdefault(corpus, {})[split] = numbers
    case = {"vocabulary": vocabulary, "changed": changed, "splits": facts}
    np.savez_compressed(path, case=json.dumps(case), **arrays)


def load_case(folder: Path, tokenization: str, name: str) -> dict:
    """What [`save_case`] saved: `vocabulary`, `changed` and `splits`."""
    with np.load(case_path(folder, tokenization, name)) as saved:
        case = json.loads(str(saved["case"]))
        for corpus, parts in case["splits"].items():
            for split, numbers in parts.items():
                ids = saved[f"{corpus}/{split}"].astype(np.int64)
                excerpts = np.split(ids, np.cumsum(numbers["excerpts"])[:-1])
                parts[split] = Encoded(**(numbers | {"excerpts": excerpts}))
    return case


def encode(processor, rows, excerpt_notes: int, mended: bool) -> tuple:
    """Ids of pieces in excerpts, and the tally of what the tokenizer changed in them."""
    from neuromusic_hf.tokenization.tally import Tally

    found, changed = Encoded([]), Tally()
    texts = processor.tokenizer.convert_ids_to_tokens(list(range(processor.vocab_size)))
    last = np.array([text.startswith("Duration") for text in texts])
    for row in rows:
        score = row["midi"]
        quantised = processor.quantise(score) if mended else processor.music_tokenizer.preprocess_score(score)
        changed += processor.tally_quantised(score, quantised)
        if not quantised.note_num():
            continue
        ids = np.array(processor.encode_quantised(quantised))
        ends = np.flatnonzero(last[ids])[:MOST_NOTES] + 1
        found.notes += len(ends)
        found.tokens += int(ends[-1])
        cuts = [0, *ends[excerpt_notes - 1 : -1 : excerpt_notes], ends[-1]]
        found.excerpts += [ids[first:end] for first, end in itertools.pairwise(cuts)]
    return found, changed


def measure(args: argparse.Namespace, case: dict) -> dict:
    """The figures of one tokenizer with one settings."""
    splits, vocabulary = case["splits"], case["vocabulary"]
    model = train(args, vocabulary, [row for corpus in splits.values() for row in corpus["train"].excerpts])
    corpora = {}
    for corpus, parts in splits.items():
        tokens, notes = (sum(getattr(part, name) for part in parts.values()) for name in ("tokens", "notes"))
        held_out = parts["validation"]
        corpora[corpus] = {
            "tokens_a_note": tokens / max(1, notes),
            **case["changed"][corpus],
            "nats_per_note": nats(args, model, held_out.excerpts) / max(1, held_out.notes),
        }
    return {"ids": vocabulary["vocab_size"], "parameters": model.num_parameters(), "corpora": corpora}


def train(args: argparse.Namespace, vocabulary: dict[str, int], excerpts: list[np.ndarray]) -> torch.nn.Module:
    """A model trained on batches of excerpts, drawn as the seed says: the same pieces for any vocabulary."""
    torch.manual_seed(args.seed)
    config = LlamaConfig(**MODEL, **vocabulary, max_position_embeddings=1 + max(map(len, excerpts)))
    model = LlamaForCausalLM(config).to(args.device).train()
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
def nats(args: argparse.Namespace, model: torch.nn.Module, excerpts: list[np.ndarray]) -> float:
    """Of all tokens of excerpts."""
    size = args.batch_size
    batches = [excerpts[first : first + size] for first in range(0, len(excerpts), size)]
    return sum(total_loss(args, model, rows)[0].item() for rows in batches)


def total_loss(args: argparse.Namespace, model, rows: list[np.ndarray]) -> tuple[torch.Tensor, int]:
    """Nats of the tokens of rows, each after BOS and those before it, and how many they are."""
    bos, pad = model.config.bos_token_id, model.config.pad_token_id
    padded = np.full((len(rows), 1 + max(map(len, rows))), pad)
    padded[:, 0] = bos
    for index, row in enumerate(rows):
        padded[index, 1 : 1 + len(row)] = row
    ids = torch.from_numpy(padded).to(args.device)
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
