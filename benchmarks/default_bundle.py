"""Judges a bundle on clean test pieces: nats per note, scores beside their noise floors, novelty, n-grams, pictures.

    python benchmarks/default_bundle.py bach folk lieder-cc0.zip
    python benchmarks/default_bundle.py bach folk lieder-cc0.zip --parts nats --max_pieces 40

What is done is kept under --work, and not done again for the same weights. README.md says what each figure means.
"""

import argparse
import dataclasses
import json
from pathlib import Path

from bundle_continuations import Continuing
from bundle_nats import BUNDLE, measure_nats
from bundle_rolls import draw_sheets
from judged_pieces import JudgedPieces
from leaky_splits import told
from measuring import RESULTS, print_targets, save_result, target

from neuromusic_hf.bundles import find_bundle
from neuromusic_hf.bundles.identity import files_hash, weights_hash
from neuromusic_hf.bundles.trained_splits import splits_of_model
from neuromusic_hf.corpora.splits import CorpusSplits
from neuromusic_hf.metrics import COMPARISONS

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("nats", "sampling", "bundle", "ngrams", "rolls")
REFERENCE = {
    "what": "the model of recipes/small.yaml, 18.4M tokens of bach+folk: a Music Transformer (3.4M, context 512)",
    "nats_per_note": {"validation": 2.19, "test": 2.29},
    "scores_to_noise_floors": {"pitch_kl": 1.6, "duration_kl": 0.8, "harmony_kl": 1.7},
    "pieces": 96,
}
"""A run made before, with REMI as it was then, on the whole splits, of which a part has twins in train."""
OF_REFERENCE = "bach+folk"
"""Its corpora, of which the bound on nats per note is."""
MOST_NATS, FEWEST_PIECES = 1.7, 256
MOST_BEYOND = 0.05
SAMPLINGS = ("1,1", "1,0.95", "1,0.9", "0.95,1", "0.95,0.95", "0.9,1", "0.9,0.95")
ROLLS = (4, 6, 6)
"""Of the corpora, in their order."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="+", help="that it was trained on, names or paths as of load_corpus")
    parser.add_argument("--bundle", default="default", help="folder of a bundle or a run")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS, help="all if not given")
    parser.add_argument("--max_pieces", type=int, help="of each corpus, for nats per note; all if not given")
    parser.add_argument("--max_items", type=int, default=260, help="pieces to continue, chosen by the seed")
    parser.add_argument("--length", type=int, default=256, help="tokens of prompts, and of what follows")
    parser.add_argument("--batch_size", type=int, default=16, help="pieces continued together")
    parser.add_argument("--ngrams", type=int, nargs="*", default=[6, 16], help="n of each n-gram that continues")
    parser.add_argument(
        "--variants", type=int, nargs="+", default=[0], help="of training pieces in other keys, counted"
    )
    parser.add_argument(
        "--samplings", nargs="+", default=SAMPLINGS, help="temperature,top_p that continue validation pieces"
    )
    parser.add_argument("--sampled", type=int, default=128, help="validation pieces that each of them continues")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num_proc", type=int, default=2, help="processes that read corpora")
    parser.add_argument("--work", type=Path, default=ROOT / "runs/default_bundle", help="what is done is kept there")
    parser.add_argument("--output", type=Path, default=RESULTS / "default_bundle.json", help="result file")
    args = parser.parse_args()
    bundle = find_bundle(args.bundle)
    identity = {"weights": weights_hash(bundle), "files": files_hash(bundle)}
    work = args.work / "-".join(each[:8] for each in identity.values())
    for folder in (work, args.output.parent):
        folder.mkdir(parents=True, exist_ok=True)
    pieces = JudgedPieces(tuple(args.corpora), splits_of_model(bundle) or CorpusSplits(), args.num_proc)
    continuing = Continuing(bundle, pieces, work, args.max_items, args.length, args.batch_size, args.seed)
    tasks = {"nats": lambda: measure_nats(bundle, pieces, work, args.max_pieces, args.variants)}
    tasks |= {"sampling": lambda: try_samplings(continuing, args.samplings, args.sampled)}
    tasks |= {"bundle": continuing.of_bundle}
    tasks |= {"ngrams": lambda: {f"{n}-gram": continuing.of_ngrams(n) for n in args.ngrams}}
    tasks |= {"rolls": lambda: draw_sheets(continuing, dict(zip(pieces.shown, ROLLS, strict=False)), args.output)}
    figures = {}
    for part, task in tasks.items():
        record = work / f"{part}.json"
        if part in args.parts:
            record.write_text(json.dumps(task()))
        if record.exists():
            figures[part] = json.loads(record.read_text())
    settings = {name: getattr(args, name) for name in ("max_pieces", "max_items", "length", "batch_size", "seed")}
    settings |= {"corpora": pieces.shown, "bundle": identity}
    targets = make_targets(figures)
    print_table(figures)
    print_targets(targets)
    save_result(
        args.output, "default_bundle", {"settings": settings, "reference": REFERENCE, **figures, "targets": targets}
    )


def try_samplings(continuing: Continuing, samplings: list[str], max_items: int) -> dict[str, dict]:
    """By temperature and top_p, figures of the same validation pieces continued so."""
    found = {}
    for given in samplings:
        sampling = dict(zip(("temperature", "top_p"), map(float, given.split(",")), strict=True))
        work = continuing.work / f"sampling-{given}"
        tried = dataclasses.replace(continuing, split="validation", max_items=max_items, work=work, sampling=sampling)
        found[given] = tried.of_bundle()
    return found


def make_targets(figures: dict) -> dict:
    """What the project asks of the bundle, of the parts that are done."""
    targets = {}
    if nats := figures.get("nats"):
        for name, each in nats["test"].items():
            found = {model: entry["nats_per_note"] for model, entry in each["models"].items()}
            if name == OF_REFERENCE:
                targets[f"nats per note, {name}"] = target(found[BUNDLE], at_most=MOST_NATS)
            best = min(value for model, value in found.items() if model != BUNDLE)
            targets[f"nats per note, {name}: the best that counts - bundle"] = target(best - found[BUNDLE], at_least=0)
    if bundle := figures.get("bundle"):
        novelty = bundle["novelty"]
        targets["pieces continued"] = target(bundle["pieces"]["continued"], at_least=FEWEST_PIECES)
        for name, score in bundle["scores"].items():
            targets[f"{name} to its noise floor"] = target(score["score"] / score["noise_floor_95"], below=1)
        targets["token errors"] = target(bundle["token_errors"]["errors"], at_most=0)
        targets["novelty, mean run to that of originals"] = target(
            novelty["mean_generated"] / novelty["mean_original"], at_most=1
        )
        targets["novelty, share beyond originals"] = target(novelty["share_beyond_originals"], at_most=MOST_BEYOND)
        for name, other in figures.get("ngrams", {}).items():
            for score, entry in bundle["scores"].items():
                lead = other["scores"][score]["score"] - entry["score"]
                targets[f"{score} of the {name} - of the bundle"] = target(lead, at_least=0)
    return targets


def print_table(figures: dict):
    """Markdown."""
    if nats := figures.get("nats"):
        models = list(next(iter(nats["test"].values()))["models"])
        print(f"| clean test | pieces | notes | {' | '.join(models)} |\n|---|---|---{'|---' * len(models)}|")
        for name, entry in nats["test"].items():
            shown = " | ".join(told(entry["models"][model]) for model in models)
            print(f"| {name} | {entry['pieces']} | {entry['notes']:,} | {shown} |")
    print_runs("validation, temperature and top_p", figures.get("sampling", {}))
    of_bundle = {BUNDLE: figures["bundle"]} if "bundle" in figures else {}
    print_runs("clean test, continued by", of_bundle | figures.get("ngrams", {}))


def print_runs(title: str, runs: dict[str, dict]):
    """Markdown: a line a run."""
    names = [each.score_name for each in COMPARISONS]
    if runs:
        print(f"\n| {title} | {' | '.join(names)} | token errors | novelty (originals) | beyond originals |")
        print(f"|---{'|---' * len(names)}|---|---|---|")
    for model, run in runs.items():
        shown = " | ".join(told_score(run["scores"][name]) for name in names)
        novelty, errors = run["novelty"], run["token_errors"]["errors"]
        means = f"{novelty['mean_generated']:.1f} ({novelty['mean_original']:.1f})"
        print(f"| {model} | {shown} | {errors} | {means} | {novelty['share_beyond_originals']:.1%} |")


def told_score(score: dict) -> str:
    """As `0.05 (0.00 to 0.10), floor 0.13`."""
    low, high = score["interval"]
    return f"{score['score']:.3f} ({low:.2f} to {high:.2f}), floor {score['noise_floor_95']:.3f}"


if __name__ == "__main__":
    main()
