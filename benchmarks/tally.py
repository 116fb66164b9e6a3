"""Counts what tokenizers change in corpora, and what share of the time of tokenising the counting takes.

    python benchmarks/tally.py bach folk maestro=maestro-v2.0.0-midi.zip lamd=lamd-sample.zip lieder=lieder-cc0.zip \
        --settings old --output benchmarks/results/tally_before.json

`--settings old` are those of the project before notes, meters and drum keys were counted; `new` are those in force.
results/tally_before.json was made with the code of then, which of notes on one onset of a key kept the shortest, and
let a change of meter within a bar wait for its end: today's code loses less with the same settings.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from datasets import Dataset, concatenate_datasets
from matplotlib.figure import Figure
from measuring import RESULTS, print_targets, save_result, target
from tqdm import tqdm
from vocabularies import BEFORE, DEFAULT, settings_of

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.music import Midi
from neuromusic_hf.tokenization import Augmentation, MidiProcessor, PiecesTally, Tally
from neuromusic_hf.tokenization.tally import WORDS
from neuromusic_hf.tokenization.token_dataset import TokenizePieces

MOST_LOST = 0.0005
"""Share of the sounding time of a corpus."""
MOST_TIME = 0.05
"""Of tokenising."""
TIMED_PIECES = 64
SHIPPED = ("bach", "folk")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="+", help="bach, folk, maestro=PATH, lamd=PATH, or any NAME=PATH")
    parser.add_argument("--tokenizations", default="REMI,TSD,Structured", help="classes of miditok")
    parser.add_argument("--settings", choices=("old", "new"), default="new")
    parser.add_argument("--every", type=int, default=1, help="take every so many-th piece, for trials")
    parser.add_argument("--cache_dir", help="of the corpora")
    parser.add_argument("--output", type=Path, default=RESULTS / "tally_after.json", help="result file")
    args = parser.parse_args()
    processors = {name: make_processor(name, args.settings) for name in args.tokenizations.split(",")}
    figures = {}
    for given in args.corpora:
        name, _, path = given.partition("=")
        pieces = load_pieces(name, path, args.cache_dir)
        pieces = pieces.select(range(0, len(pieces), args.every))
        figures[name] = {
            tokenization: measure(processor, pieces, f"{name}, {tokenization}")
            for tokenization, processor in processors.items()
        }
    targets = judge(figures)
    print_targets(targets)
    plot(figures).savefig(args.output.with_suffix(".png"))
    ids = {name: processor.vocab_size for name, processor in processors.items()}
    settings = {"settings": args.settings, "ids": ids, "every": args.every, "timed_pieces": TIMED_PIECES}
    save_result(args.output, "tally", {"settings": settings, "corpora": figures, "targets": targets})


def make_processor(name: str, settings: str) -> MidiProcessor:
    """A processor of the base tokens."""
    return MidiProcessor.from_tokenization(name, **settings_of(name)[BEFORE if settings == "old" else DEFAULT])


def load_pieces(name: str, path: str, cache_dir: str | None) -> Dataset:
    """All splits of a corpus."""
    known = name in (*SHIPPED, "maestro", "lamd")
    corpus = load_corpus(name if known else path, path or None if known else None, cache_dir=cache_dir)
    return concatenate_datasets(list(corpus.values()))


def measure(processor: MidiProcessor, pieces: Dataset, title: str) -> dict:
    """The tally of all pieces, in sum and of the worst; and of some of them the time it takes."""
    tallies = {}
    for index, row in enumerate(tqdm(pieces, desc=title, unit="piece")):
        tallies[f"{index} {row.get('title') or row['content_hash'][:12]}"] = processor.tally(row["midi"])
    share = time_share(processor, pieces.shuffle(seed=0).select(range(min(TIMED_PIECES, len(pieces)))))
    return {**PiecesTally.of(tallies).to_dict(), "changed_by_kind": pieces_by_kind(tallies), "time_share": share}


def time_share(processor: MidiProcessor, pieces: Dataset) -> float:
    """Processor time of the tally of some pieces, by that of all else that tokenize_corpus does with them."""
    tally = processor.encoder.tally
    laps = []

    def timed(*arguments):
        start = time.process_time()
        found = tally(*arguments)
        laps.append(time.process_time() - start)
        return found

    processor.encoder.tally = timed
    tokenize = TokenizePieces(processor, Augmentation())
    rows = pieces.select_columns(["midi", "content_hash"]).cast_column("midi", Midi(decode=False))
    start = time.process_time()
    for batch in rows.iter(batch_size=16):
        tokenize(batch)
    whole = time.process_time() - start
    del processor.encoder.tally
    return sum(laps) / (whole - sum(laps))


def pieces_by_kind(tallies: dict[str, Tally]) -> dict[str, int]:
    """How many pieces have a change of each kind."""
    counts = {kind: sum(bool(getattr(tally, kind)) for tally in tallies.values()) for kind in WORDS}
    return {kind: count for kind, count in counts.items() if count}


def judge(figures: dict) -> dict:
    """What the project asks of the figures."""
    targets = {}
    for corpus, found in figures.items():
        for tokenization, row in found.items():
            name, total = f"{corpus}_{tokenization}", row["total"]
            targets[f"{name}_lost_share"] = target(row["lost_share"], at_most=MOST_LOST)
            targets[f"{name}_drum_hits"] = target(total.get("dropped_drum_keys", 0), at_most=0)
            targets[f"{name}_time_share"] = target(row["time_share"], at_most=MOST_TIME)
            if corpus in SHIPPED:
                targets[f"{name}_meters_replaced"] = target(total.get("meters_replaced", 0), at_most=0)
    return targets


def plot(figures: dict) -> Figure:
    """Sounding time lost, and how many pieces have which change, of each corpus and tokenizer."""
    rows = {(corpus, name): row for corpus, found in figures.items() for name, row in found.items()}
    kinds = [kind for kind in WORDS if any(kind in row["changed_by_kind"] for row in rows.values())]
    figure = Figure(figsize=(13, 1.8 + 0.36 * len(rows)), dpi=130, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 2))
    places = np.arange(len(rows))
    left.barh(places, [100 * row["lost_share"] for row in rows.values()], color="#0072B2")
    left.axvline(100 * MOST_LOST, color="#D55E00", linewidth=1.2, label=f"{MOST_LOST:.2%}")
    left.set(xscale="symlog", xlim=(0, None), xlabel="sounding time lost, %")
    left.set_xscale("symlog", linthresh=0.01)
    left.legend(frameon=False, fontsize=9)
    left.set_yticks(places, [f"{corpus}, {name}" for corpus, name in rows])
    left.invert_yaxis()
    shares = [row["changed_by_kind"].get(kind, 0) / row["pieces"] for row in rows.values() for kind in kinds]
    right.imshow(np.sqrt(shares).reshape(len(rows), len(kinds)), cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
    for place, row in enumerate(rows.values()):
        for column, kind in enumerate(kinds):
            if kind in row["changed_by_kind"]:
                right.text(column, place, f"{row['changed_by_kind'][kind]:,}", ha="center", va="center", fontsize=8)
    right.set_xticks(range(len(kinds)), [WORDS[kind][1] for kind in kinds], rotation=28, ha="right", fontsize=8)
    right.set_title("pieces with such changes", loc="left", fontsize=10)
    return figure


if __name__ == "__main__":
    main()
