"""Shows fine-tuning on styles: before and after, all weights and LoRA, beside a model that starts from nothing.

    python benchmarks/styles.py --lieder lieder-cc0.zip -- --num_proc 1

What follows -- goes to every fine-tuning of scripts/train.py. Stopped and started again, it goes on where it was.
README.md says what each figure means.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset, DatasetDict
from measuring import RESULTS, save_result
from style_corpora import (
    BACH,
    DEFAULT,
    FOLK,
    MOST_TRAIN_PIECES,
    SONGS,
    once,
    read_parts,
    save,
    some,
    songs_of_composer,
    write_style,
)
from style_pictures import plot_style
from style_runs import (
    ROOT,
    Lengths,
    compare_nats,
    context_of,
    continue_and_score,
    measure_nats,
    new_model_like,
    train,
)

from neuromusic_hf import load_corpus
from neuromusic_hf.bundles import find_bundle
from neuromusic_hf.bundles.identity import files_hash, weights_hash
from neuromusic_hf.corpora.names import CORPORA

BEFORE, FULL, LORA, SCRATCH = "before", "full", "lora", "scratch"
FINETUNE, FINETUNE_LORA = ROOT / "recipes/finetune.yaml", ROOT / "recipes/finetune_lora.yaml"
STYLE = "style"
MONTEVERDI = "monteverdi"
FOLK_BASE = Path(__file__).with_name("folk_base.yaml")
SCRATCH_LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Style:
    """
    What a model learns, and what it knew.

    Args:
        title (`str`): of its picture.
        base (`str`): `folk`, or `default`, the bundle that comes with the package.
        known (`tuple[str, ...]`): corpora that the base was trained on.
        pieces (`Callable`): of all parts ([`read_parts`]), the style as train, validation and test.
    """

    title: str
    base: str
    known: tuple[str, ...]
    pieces: Callable[[dict[str, DatasetDict]], DatasetDict]


STYLES = {
    "folk_to_bach": Style("Bach's chorales, of a model of folk tunes", FOLK, (FOLK,), lambda parts: parts[BACH]),
    "songs_of_holmes": Style(
        "Songs by Augusta Holmès, of the default bundle",
        DEFAULT,
        (BACH, FOLK, SONGS),
        lambda parts: songs_of_composer(parts[SONGS]),
    ),
    MONTEVERDI: Style(
        "Monteverdi's madrigals, of the default bundle",
        DEFAULT,
        (BACH, FOLK, SONGS),
        lambda parts: load_corpus(MONTEVERDI),
    ),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lieder", type=Path, help="archive of OpenScore Lieder, which the default bundle knows")
    parser.add_argument("--styles", default=",".join(STYLES), help="joined by commas")
    parser.add_argument("--max_pieces", type=int, default=MOST_TRAIN_PIECES, help="of a style, to train on")
    parser.add_argument("--max_steps", type=int, default=150, help="of each fine-tuning, which may stop early")
    parser.add_argument("--kept_pieces", type=int, default=30, help="of each known corpus, to tell what is forgotten")
    parser.add_argument("--max_prompts", type=int, default=64, help="continued for each model; 0 for none")
    parser.add_argument("--prompt_length", type=int, default=256, help="tokens")
    parser.add_argument("--continue_length", type=int, default=256, help="tokens")
    parser.add_argument(
        "--base_options", type=json.loads, default={}, help="JSON: options of the folk model's training"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the pieces that are chosen")
    parser.add_argument("--work", type=Path, default=ROOT / "runs/styles", help="folder of corpora and runs")
    parser.add_argument("--output", type=Path, default=RESULTS / "styles.json", help="result file")
    parser.add_argument("more", nargs="*", help="options of every fine-tuning")
    args = parser.parse_args()
    styles = chosen_styles(args, parser)
    check_same_settings(args, parser)
    parts = read_parts(args.lieder)
    base, figures = None, {}
    for name, style in styles.items():
        if style.base == FOLK:
            base = once(args.work / "folk.json", lambda: train_base(parts[FOLK], args))
        figures[name] = {"title": style.title} | show(style, parts, args.work / name, args)
        plot_style(figures[name]).savefig(args.output.with_name(f"{args.output.stem}_{name}.png"))
        print_style(name, figures[name])
    save_result(args.output, "styles", {"settings": shown_settings(args), "folk_base": base, "styles": figures})


def chosen_styles(args: argparse.Namespace, parser: argparse.ArgumentParser) -> dict[str, Style]:
    """Those that were asked for and can be shown."""
    names = args.styles.split(",")
    if unknown := [name for name in names if name not in STYLES]:
        parser.error(f"there are no styles {', '.join(unknown)}, but {', '.join(STYLES)}")
    if MONTEVERDI in names and MONTEVERDI not in CORPORA:
        parser.error(f"there is no corpus {MONTEVERDI}: leave it out with --styles")
    if lacking := [name for name in names if STYLES[name].base == DEFAULT and not args.lieder]:
        parser.error(f"{', '.join(lacking)} need --lieder: the default bundle was trained on it")
    return {name: STYLES[name] for name in names}


def shown_settings(args: argparse.Namespace) -> dict:
    """What was asked, without paths, and of which default bundle."""
    asked = {name: value for name, value in vars(args).items() if name not in ("output", "work", "lieder")}
    bundle = find_bundle(DEFAULT)
    return asked | {"default_bundle": {"weights": weights_hash(bundle), "files": files_hash(bundle)}}


def check_same_settings(args: argparse.Namespace, parser: argparse.ArgumentParser):
    """What the folder holds was asked in the same words, but for the styles, of the same bundle; else an error."""
    asked = {name: value for name, value in shown_settings(args).items() if name != "styles"}
    before = once(args.work / "settings.json", lambda: asked)
    if changed := [name for name in asked if asked[name] != before.get(name)]:
        parser.error(f"{args.work} was begun with another {', '.join(changed)}: give another folder as --work")


def train_base(folk: DatasetDict, args: argparse.Namespace) -> dict:
    """The model that knows folk tunes alone."""
    corpus = args.work / "folk_corpus"
    save(folk, corpus)
    return train(args.work / FOLK, FOLK_BASE, {"corpus": corpus} | args.base_options)


def show(style: Style, parts: dict[str, DatasetDict], folder: Path, args: argparse.Namespace) -> dict:
    """All figures of a style."""
    read = [parts[name]["train"] for name in style.known]
    corpus = once(
        folder / "corpus.json",
        lambda: write_style(style.pieces(parts), folder, read, most_train=args.max_pieces, seed=args.seed),
    )
    if not corpus["splits"]["test"]["pieces"]:
        raise ValueError(f"{style.title}: each test piece has a twin in what was trained on. Nothing can be shown.")
    base = DEFAULT if style.base == DEFAULT else str(args.work / style.base / "bundle")
    options = {"corpus": folder / "corpus", "context_length": context_of(base), "max_steps": args.max_steps}
    trained = fine_tune(base, options, folder, args.more)
    models = {BEFORE: base} | {name: str(folder / name / "bundle") for name in trained}
    rows = {STYLE: load_corpus(str(folder / "corpus"))["test"]}
    rows |= {name: unseen(parts[name]["test"], rows[STYLE], args) for name in style.known}
    nats = {
        name: once(folder / f"{name}.nats.json", lambda model=model: measure_nats(model, rows))
        for name, model in models.items()
    }
    figures = {"corpus": corpus, "known": list(style.known), "trainings": trained}
    figures["test"] = {
        name: {which: compare_nats(pieces, nats[BEFORE][which]) for which, pieces in each.items()}
        for name, each in nats.items()
    }
    if args.max_prompts:
        lengths = Lengths(args.prompt_length, args.continue_length, args.max_prompts)
        figures["continuations"] = {
            name: continue_and_score(model, folder / "prompts", folder / "corpus", folder / "played" / name, lengths)
            for name, model in models.items()
        }
    return figures


def unseen(rows: Dataset, style: Dataset, args: argparse.Namespace) -> Dataset:
    """Some test pieces of a known corpus that are not the style's."""
    hashes = set(style["content_hash"])
    others = rows.select([row for row, each in enumerate(rows["content_hash"]) if each not in hashes])
    return some(others, args.kept_pieces, args.seed)


def fine_tune(base: str, options: dict, folder: Path, more: list[str]) -> dict[str, dict]:
    """All weights, LoRA, and a new model of the same sizes on as many steps as all weights had."""
    full = train(folder / FULL, FINETUNE, options | {"model": base}, more)
    lora = train(folder / LORA, FINETUNE_LORA, options | {"model": base}, more)
    fresh = new_model_like(base) | {"learning_rate": SCRATCH_LEARNING_RATE, "max_steps": full["optimizer_steps"]}
    return {FULL: full, LORA: lora, SCRATCH: train(folder / SCRATCH, FINETUNE, options | fresh, more)}


def print_style(name: str, figures: dict):
    """Markdown: nats per note of each model, and what its continuations are worth."""
    corpora = figures["test"][BEFORE]
    print(f"\n{name}\n\n| model | {' | '.join(corpora)} |\n|---{'|---' * len(corpora)}|")
    for model, each in figures["test"].items():
        print(f"| {model} | {' | '.join(told(found) for found in each.values())} |")
    if played := figures.get("continuations"):
        scores = played[BEFORE]["scores"]
        print(f"\n| model | {' | '.join(scores)} | shared runs | of originals |\n|---{'|---' * (len(scores) + 2)}|")
        for model, each in played.items():
            floors = [told_score(score) for score in each["scores"].values()]
            novelty = each["novelty"]
            runs = [shown(novelty[which]) for which in ("mean_generated", "mean_original")]
            print(f"| {' | '.join([model, *floors, *runs])} |")


def told(found: dict) -> str:
    """As `1.80 (-0.12, -0.15 to -0.09)`."""
    low, high = found["change_interval"]
    return f"{found['nats_per_note']:.3f} ({found['change']:+.3f}, {low:+.3f} to {high:+.3f})"


def told_score(score: dict) -> str:
    """As `0.041 (floor 0.052, 48 pieces)`."""
    return f"{shown(score['score'])} (floor {shown(score['noise_floor'])}, {score['num_pieces']} pieces)"


def shown(value: float | None) -> str:
    """A figure, or a dash where it is not defined."""
    return "–" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    main()
