"""Measures what twins of test pieces in train do to nats per note, and to the order of models.

    python benchmarks/leaky_splits.py
    python benchmarks/leaky_splits.py folk --setups hash --steps 20

README.md says what each figure means.
"""

import argparse
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset, DatasetDict
from matplotlib.figure import Figure
from measuring import RESULTS, save_result
from ngrams import Counted, copying_weights, count_and_predict, mix
from transformers import PreTrainedModel, set_seed

from neuromusic_hf import MidiProcessor, build_model, load_corpus
from neuromusic_hf.corpora import Corpus
from neuromusic_hf.corpora.families import twins_of
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.tokenization.blocks import IGNORED_LABEL
from neuromusic_hf.training import DataArguments, RunArguments, TrainingBlocks, create_trainer, row_statistics
from neuromusic_hf.training.split_blocks import hash_ids
from neuromusic_hf.twins import families

ROOT = Path(__file__).resolve().parents[1]
SETUPS = {
    "hash": ("notes-hash-1", False),
    "hash without twins": ("notes-hash-1", True),
    "families": ("families-2", False),
}
"""By name: the version of the splits, and whether twins of test pieces are taken out of train. For that, no network is
trained anew."""
SHORT, NGRAM, COPY = "8-gram", "n-gram", "n-gram and copying"
NETWORKS = {"GPT-2": "gpt2", "Music Transformer": "music_transformer"}
SIZES = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 512}
CONTEXT_LENGTH, LEARNING_RATE = 512, 2e-3
LONGEST_NGRAM = 24
WHOLE, CLEAN, TWINS = "whole", "clean", "twins"
RESAMPLES = 2000


@dataclass
class Texts:
    """
    A tokenised split.

    Args:
        ids (`list[np.ndarray]`): of shape `(tokens,)`, from BOS to EOS, of each piece that has a note.
        notes (`np.ndarray` of shape `(pieces,)`): that the ids stand for.
        hashes (`list[str]`): of the pieces.
    """

    ids: list[np.ndarray]
    notes: np.ndarray
    hashes: list[str]

    @classmethod
    def of(cls, tokens: Dataset) -> "Texts":
        """From a split of tokenize_corpus."""
        rows = [row for row in tokens.with_format("numpy") if row["num_notes"]]
        notes = np.array([row["num_notes"] for row in rows])
        return cls([row["input_ids"].astype(np.int64) for row in rows], notes, [row["content_hash"] for row in rows])

    def sums(self, nats: np.ndarray) -> np.ndarray:
        """Of each piece, from those of all its tokens but BOS."""
        return np.add.reduceat(nats, np.cumsum([0, *(len(ids) - 1 for ids in self.ids[:-1])]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="*", default=["bach", "folk"], help="names or paths, as of load_corpus")
    parser.add_argument("--setups", nargs="+", default=list(SETUPS), choices=SETUPS, help="all if not given")
    parser.add_argument("--steps", type=int, default=600, help="of the optimizer, for each network")
    parser.add_argument("--batch_size", type=int, default=4, help=f"blocks of {CONTEXT_LENGTH} tokens a step")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--num_proc", type=int, default=2, help="processes that read corpora")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/leaky_splits", help="what is done is kept there")
    parser.add_argument("--output", type=Path, default=RESULTS / "leaky_splits.json", help="result file")
    args = parser.parse_args()
    figures = {Path(name).stem: {setup: measure(args, name, setup) for setup in args.setups} for name in args.corpora}
    settings = {name: getattr(args, name) for name in ("steps", "batch_size", "seed")}
    settings |= {"context_length": CONTEXT_LENGTH, "longest_ngram": LONGEST_NGRAM, "networks": SIZES}
    print_table(figures)
    save_result(args.output, "leaky_splits", {"settings": settings, "corpora": figures})
    plot(figures, args.output.with_suffix(".png"))


def measure(args: argparse.Namespace, name: str, setup: str) -> dict:
    """The figures of one corpus in one setup."""
    version, leave_out = SETUPS[setup]
    corpus = load_corpus(name, split_version=version, num_proc=args.num_proc)
    known, twins = find_leak(corpus, args.num_proc)
    processor = MidiProcessor.from_tokenization("REMI")
    tokens = tokenize_corpus(corpus, processor, num_proc=args.num_proc)
    if leave_out:
        kept = [index for index, piece in enumerate(tokens["train"]["content_hash"]) if piece not in known]
        tokens["train"] = tokens["train"].select(kept)
    texts = {split: Texts.of(rows) for split, rows in tokens.items()}
    nats, facts = measure_counting(texts, processor.vocab_size)
    networks = {
        shown: measure_network(args, f"{Path(name).stem}-{setup}-{model}", model, processor, tokens, texts["test"])
        for shown, model in NETWORKS.items()
        if not leave_out
    }
    nats |= {shown: np.array(run["nats"]) for shown, run in networks.items()}
    facts |= {shown: {key: run[key] for key in ("parameters", "best_step")} for shown, run in networks.items()}
    twin = np.array([piece in twins for piece in texts["test"].hashes])
    sets = {WHOLE: np.ones_like(twin), CLEAN: ~twin, TWINS: twin}
    return {
        "train": {"pieces": len(texts["train"].ids), "tokens": sum(map(len, texts["train"].ids))},
        "models": facts,
        "test": {
            which: compare({model: each[chosen] for model, each in nats.items()}, texts["test"].notes[chosen])
            for which, chosen in sets.items()
            if which == WHOLE or 0 < chosen.sum() < len(chosen)
        },
    }


def find_leak(corpus: Corpus, num_proc: int | None) -> tuple[set[str], set[str]]:
    """Content hashes of the pieces of train, and of those of test, of a family that is on both sides."""
    parts = [corpus["train"], corpus["test"]]
    train, test = (part["content_hash"][:] for part in parts)
    family = families(len(train) + len(test), twins_of(parts, num_proc=num_proc))
    torn = np.intersect1d(family[: len(train)], family[len(train) :])
    leaking = np.array([*train, *test])[np.isin(family, torn)]
    return set(leaking) & set(train), set(leaking) & set(test)


def measure_counting(texts: dict[str, Texts], vocab_size: int) -> tuple[dict[str, np.ndarray], dict]:
    """Nats of each test piece by the models that count, and what was chosen on validation."""
    validation, test = texts["validation"], texts["test"]
    held_out = validation.ids + test.ids
    counted = count_and_predict(texts["train"].ids, held_out, vocab_size, longest=LONGEST_NGRAM)
    return choose_counting(validation, test, *counted.split(sum(len(ids) - 1 for ids in validation.ids)))


def choose_counting(
    validation: Texts, test: Texts, of_validation: Counted, of_test: Counted
) -> tuple[dict[str, np.ndarray], dict]:
    """As [`measure_counting`], of what was counted. What was chosen has its nats per note on `validation`."""
    notes = validation.notes.sum()
    by_n = {n: -np.log(chances).sum() / notes for n, chances in of_validation.ngrams.items()}
    best = min(by_n, key=by_n.get)
    # Where it is left to copying what the longest matches say, a short n-gram may serve it better.
    mixed = {}
    for n, chances in of_validation.ngrams.items():
        weights = copying_weights(chances, of_validation)
        mixed[n] = -np.log(mix(chances, of_validation, weights)).sum() / notes, weights
    beside = min(mixed, key=lambda n: mixed[n][0])
    of_mixed, weights = mixed[beside]
    nats = {
        SHORT: test.sums(-np.log(of_test.ngrams[8])),
        NGRAM: test.sums(-np.log(of_test.ngrams[best])),
        COPY: test.sums(-np.log(mix(of_test.ngrams[beside], of_test, weights))),
    }
    facts = {
        SHORT: {"n": 8, "validation": by_n[8]},
        NGRAM: {"n": best, "validation": by_n[best], "by_n": {str(n): found for n, found in by_n.items()}},
        COPY: {"n": beside, "validation": of_mixed, "weights": weights.tolist()},
    }
    return nats, facts


def measure_network(
    args: argparse.Namespace, run: str, name: str, processor: MidiProcessor, tokens: DatasetDict, test: Texts
) -> dict:
    """Nats of each test piece by a network that was trained for it, unless `--runs` has them."""
    settings = {"steps": args.steps, "batch_size": args.batch_size, "seed": args.seed} | SIZES
    settings |= {"train": hash_ids(tokens["train"]), "test": hash_ids(tokens["test"])}
    folder = args.runs / run.replace(" ", "_")
    record = folder / "nats.json"
    if record.exists() and (done := json.loads(record.read_text()))["settings"] == settings:
        return done
    model, best_step = train_network(args, folder, name, processor, tokens)
    nats = network_nats(model, test.ids)
    done = {"settings": settings, "parameters": model.num_parameters(), "best_step": best_step, "nats": nats.tolist()}
    record.write_text(json.dumps(done))
    print(f"{run}: {nats.sum() / test.notes.sum():.3f} nats per note", flush=True)
    return done


def train_network(
    args: argparse.Namespace, folder: Path, name: str, processor: MidiProcessor, tokens: DatasetDict
) -> tuple[PreTrainedModel, int]:
    """A network as it was where validation was best, and the step at which that was."""
    set_seed(args.seed)
    data_args = DataArguments(context_length=CONTEXT_LENGTH, max_eval_blocks=64)
    every = max(1, args.steps // 4)
    run_args = RunArguments(
        output_dir=str(folder),
        seed=args.seed,
        max_steps=args.steps,
        per_device_train_batch_size=args.batch_size,
        per_device_eval_batch_size=args.batch_size,
        learning_rate=LEARNING_RATE,
        lr_scheduler_type="cosine",
        warmup_steps=args.steps // 10,
        weight_decay=0.1,
        eval_steps=every,
        save_steps=every,
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="nats_per_note",
        disable_tqdm=True,
    )
    blocks = TrainingBlocks.from_tokens(tokens, data_args, args.seed)
    model = build_model(name, processor, context_length=CONTEXT_LENGTH, **SIZES)
    trainer = create_trainer(model, processor, blocks, data_args, run_args, recipe={})
    trainer.train()
    return trainer.model.eval(), trainer.state.best_global_step


@torch.no_grad()
def network_nats(model: PreTrainedModel, texts: list[np.ndarray], rows: int = 16) -> np.ndarray:
    """
    Nats of each text, every token after at least half of the context, or all that is before it.

    Args:
        model ([`~transformers.PreTrainedModel`]): a causal language model.
        texts (`list[np.ndarray]`): ids of shape `(length,)`, from BOS on.
        rows (`int`, *optional*, defaults to 16): of a batch.

    Returns:
        `np.ndarray` of shape `(texts,)`.
    """
    length = model.config.max_position_embeddings
    windows = sorted(
        ((text, *window) for text, ids in enumerate(texts) for window in windows_of(len(ids), length)),
        key=lambda window: window[3] - window[1],
    )
    nats = np.zeros(len(texts))
    for batch in (windows[first : first + rows] for first in range(0, len(windows), rows)):
        ids = torch.zeros(len(batch), max(end - begin for _, begin, _, end in batch), dtype=torch.long)
        labels = torch.full_like(ids, IGNORED_LABEL)
        for row, (text, begin, new, end) in enumerate(batch):
            ids[row, : end - begin] = torch.from_numpy(texts[text][begin:end])
            labels[row, new - begin : end - begin] = ids[row, new - begin : end - begin]
        logits = model(input_ids=ids.to(model.device)).logits.cpu()
        np.add.at(nats, [text for text, *_ in batch], row_statistics(logits, labels)[:, 0].numpy())
    return nats


def windows_of(count: int, length: int) -> list[tuple[int, int, int]]:
    """Begin, first token that is new, and end of windows of at most `length` tokens, each half a window further."""
    ends = [*range(min(length, count), count, length // 2), count]
    return [
        (max(0, end - length), 1 if before == 0 else before, end) for before, end in itertools.pairwise([0, *ends])
    ]


def compare(nats: dict[str, np.ndarray], notes: np.ndarray) -> dict:
    """
    Nats per note of models on the same pieces, their order, and how sure it is.

    Args:
        nats (`dict[str, np.ndarray]` of shape `(pieces,)`): of each piece, by model.
        notes (`np.ndarray` of shape `(pieces,)`): of each piece.

    Returns:
        `dict` with `pieces`, `notes`, `models` (`nats_per_note` and its 95% `interval` over pieces), `order` (best
        first), and `leads`, by how much one model leads another on the same pieces, again with the interval.
    """
    drawn = np.random.default_rng(0).integers(len(notes), size=(RESAMPLES, len(notes)))
    resampled = {model: each[drawn].sum(1) / notes[drawn].sum(1) for model, each in nats.items()}
    found = {model: each.sum() / notes.sum() for model, each in nats.items()}
    order = sorted(found, key=found.get)
    return {
        "pieces": len(notes),
        "notes": int(notes.sum()),
        "models": {model: {"nats_per_note": found[model], "interval": interval(resampled[model])} for model in nats},
        "order": order,
        "leads": {
            f"{first} before {second}": {
                "nats_per_note": found[second] - found[first],
                "interval": interval(resampled[second] - resampled[first]),
            }
            for first, second in itertools.combinations(order, 2)
        },
    }


def interval(resampled: np.ndarray) -> list[float]:
    """Between 2.5% and 97.5%."""
    return np.quantile(resampled, [0.025, 0.975]).tolist()


def print_table(figures: dict[str, dict]):
    """Markdown."""
    models = (SHORT, NGRAM, COPY, *NETWORKS)
    for corpus, by_setup in figures.items():
        print(f"\n| {corpus} | pieces | {' | '.join(models)} |\n|---|---{'|---' * len(models)}|")
        for setup, entry in by_setup.items():
            for which, found in entry["test"].items():
                shown = [told(found["models"].get(model)) for model in models]
                print(f"| {setup}: {which} | {found['pieces']} | {' | '.join(shown)} |")


def told(found: dict | None) -> str:
    """As `3.21 (3.01 to 3.42)`."""
    return f"{found['nats_per_note']:.2f} ({found['interval'][0]:.2f} to {found['interval'][1]:.2f})" if found else ""


def plot(figures: dict[str, dict], path: Path):
    """Nats per note with their intervals: a panel a corpus, a place a set of pieces, a colour a model."""
    figure = Figure(figsize=(11, 4.5 * len(figures)), layout="constrained")
    panels = figure.subplots(len(figures), squeeze=False)[:, 0]
    for axes, (corpus, by_setup) in zip(panels, figures.items(), strict=True):
        sets = {
            f"{setup}\n{which}, {found['pieces']} pieces": found["models"]
            for setup, entry in by_setup.items()
            for which, found in entry["test"].items()
        }
        for index, model in enumerate((SHORT, NGRAM, COPY, *NETWORKS)):
            points = [(place, each[model]) for place, each in enumerate(sets.values()) if model in each]
            values = np.array([found["nats_per_note"] for _, found in points])
            low, high = np.array([found["interval"] for _, found in points]).T
            places = [place + 0.12 * (index - 2) for place, _ in points]
            axes.errorbar(places, values, [values - low, high - values], fmt="o", label=model)
        axes.set_xticks(range(len(sets)), sets, fontsize="small")
        axes.set(title=corpus, ylabel="nats per note")
        axes.grid(alpha=0.3, axis="y")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(NETWORKS) + 3)
    figure.savefig(path, dpi=120)
    print(f"Written: {path}")


if __name__ == "__main__":
    main()
