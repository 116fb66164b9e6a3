"""Scores continuations of known worth: real, by a trained model, by an untrained one, shuffled.

    python benchmarks/metric_validity.py maestro runs/maestro --data_dir maestro-v2.0.0-midi.zip \
        --harmony_embedding runs/maestro-harmony

README.md says what each figure means.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from measuring import RESULTS, print_targets, save_result, target
from symusic.core import ScoreTick
from tqdm import tqdm
from transformers import AutoModelForCausalLM

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor
from neuromusic_hf.metrics import HARMONY, Comparison, all_comparisons, score_midi
from neuromusic_hf.music import new_music
from neuromusic_hf.runs import choose_pieces, find_pieces

REAL, TRAINED, UNTRAINED, WRONG, SHUFFLED = "real", "trained", "untrained", "wrong_piece", "shuffled_notes"
KINDS = (REAL, TRAINED, UNTRAINED, WRONG, SHUFFLED)
OWN_HARMONY = "harmony_of_corpus"
"""Harmony by word vectors learned from the train split of the corpus."""
ORDER = ((REAL, TRAINED), (TRAINED, UNTRAINED), (UNTRAINED, SHUFFLED))
"""Pairs of which the first must have the lower score."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", help="whose test split is continued")
    parser.add_argument("model", help="folder of a bundle trained on its train split")
    parser.add_argument("--data_dir", help="where the corpus lies, if it is here already")
    parser.add_argument("--max_items", type=int, help="pieces, chosen at random; all if not given")
    parser.add_argument("--length", type=int, default=512, help="tokens of prompt, original and continuation each")
    parser.add_argument("--harmony_embedding", help="of the corpus, to score harmony with beside the package's own")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="result file; named by the corpus if not given")
    args = parser.parse_args()
    output = args.output or RESULTS / f"metric_validity_{args.corpus}.json"
    torch.manual_seed(args.seed)
    pieces, left_out = collect(args)
    own = [replace(HARMONY.bind(args.harmony_embedding), name=OWN_HARMONY)] if args.harmony_embedding else []
    comparisons = all_comparisons(own)
    prompts, originals = (list(column) for column in zip(*pieces["facts"], strict=True))
    scores = {
        each.name: {kind: score_midi(each, prompts, originals, pieces[kind]).to_dict() for kind in KINDS}
        for each in comparisons
    }
    checks = {each.name: invariances(each, prompts, originals, pieces, args) for each in comparisons}
    targets = make_targets(scores, checks)
    for name, row in scores.items():
        shown = ", ".join(f"{kind} {entry['score']:.3f}" for kind, entry in row.items())
        print(f"{name}: {shown}; noise floor {row[REAL]['noise_floor_95']:.3f}")
    print_targets(targets)
    draw(scores, output.with_suffix(".png"))
    settings = {name: getattr(args, name) for name in ("corpus", "length", "max_items", "seed")}
    figures = {"settings": settings, "left_out": left_out, "scores": scores, "checks": checks, "targets": targets}
    save_result(output, "metric_validity", figures)


def collect(args: argparse.Namespace) -> tuple[dict, dict[str, int]]:
    """Prompt and original of every piece, its continuations by kind, and how many pieces were left out, by reason."""
    processor = MidiProcessor.from_pretrained(args.model)
    model = AutoModelForCausalLM.from_pretrained(args.model)
    untrained = AutoModelForCausalLM.from_config(model.config)
    pipelines = {
        TRAINED: MidiContinuationPipeline(model.eval(), processor),
        UNTRAINED: MidiContinuationPipeline(untrained.eval(), processor),
    }
    sources = choose_pieces(find_pieces([args.corpus], data_dir=args.data_dir), args.max_items, args.seed)
    found, left_out = {"facts": [], REAL: [], TRAINED: [], UNTRAINED: []}, {}
    for start in tqdm(range(0, len(sources), args.batch_size), desc="Continuing", unit="batch"):
        batch = [{"bytes": piece.read(), "name": piece.name} for piece in sources[start : start + args.batch_size]]
        results = {kind: continued(pipeline, batch, args) for kind, pipeline in pipelines.items()}
        for trained, untrained in zip(results[TRAINED], results[UNTRAINED], strict=True):
            reason = unusable(trained, untrained, 2 * args.length)
            if reason is not None:
                left_out[reason] = left_out.get(reason, 0) + 1
                continue
            original, following = passages(processor, trained, args.length)
            found["facts"].append((trained["prompt"], original))
            for kind, score in ((REAL, following), (TRAINED, trained), (UNTRAINED, untrained)):
                found[kind].append(score if kind == REAL else score["continuation"])
    originals = [original for _, original in found["facts"]]
    found[WRONG] = originals[1:] + originals[:1]
    found[SHUFFLED] = shuffled_notes(originals, np.random.default_rng(args.seed))
    return found, left_out


def continued(pipeline: MidiContinuationPipeline, batch: list[dict], args: argparse.Namespace) -> list[dict]:
    """Results with originals of twice the length: how the piece goes on, and how it goes on after that."""
    lengths = {"prompt_length": args.length, "max_new_tokens": args.length, "original_length": 2 * args.length}
    return pipeline(batch, batch_size=len(batch), seed=args.seed, **lengths)


def unusable(trained: dict, untrained: dict, num_tokens: int) -> str | None:
    """Why a piece is left out, if it is."""
    for result in (trained, untrained):
        if result["midi"] is None:
            return result["skipped"]["reason"]
    if len(trained["original_token_ids"]) < num_tokens:
        return "too_short"
    return None


def passages(processor: MidiProcessor, result: dict, length: int) -> tuple[ScoreTick, ScoreTick]:
    """How the piece goes on after the prompt, and the passage after that."""
    ids, following = result["prompt_token_ids"], result["original_token_ids"]
    until, whole = processor.decode(ids + following[:length]), processor.decode(ids + following)
    return new_music(until, result["prompt"]), new_music(whole, until)


def shuffled_notes(scores: list[ScoreTick], random: np.random.Generator) -> list[ScoreTick]:
    """The pieces with pitches and durations dealt out anew among the notes of all of them."""
    shuffled = [score.copy() for score in scores]
    notes = [note for score in shuffled for track in score.tracks if not track.is_drum for note in track.notes]
    values = [(note.pitch, note.duration) for note in notes]
    for note, pitch, duration in zip(
        notes, random.permutation(len(notes)), random.permutation(len(notes)), strict=True
    ):
        note.pitch, note.duration = values[pitch][0], values[duration][1]
    return shuffled


def invariances(
    comparison: Comparison, prompts: list, originals: list, pieces: dict, args: argparse.Namespace
) -> dict[str, float]:
    """The score of originals against themselves, and what other orders and another tokenizer change in a score."""
    score = score_midi(comparison, prompts, originals, pieces[TRAINED])
    order = np.random.default_rng(args.seed).permutation(len(prompts))
    moved = score_midi(
        comparison, *([rows[index] for index in order] for rows in (prompts, originals, pieces[TRAINED]))
    )
    others = [[through(MidiProcessor.from_tokenization("TSD"), each) for each in pieces[TRAINED]]]
    other = score_midi(comparison, prompts, originals, *others)
    return {
        "identical": score_midi(comparison, prompts, originals, originals).score,
        "noise_floor_95": score.noise_floor_95,
        "trained": score.score,
        "trained_in_another_order": moved.score,
        "trained_through_another_tokenizer": other.score,
        "half_of_the_interval": (score.interval[1] - score.interval[0]) / 2,
    }


def through(processor: MidiProcessor, score: ScoreTick) -> ScoreTick:
    """The score as another tokenizer keeps it."""
    return processor.decode(processor.encode(score)) if score.note_num() else score


def make_targets(scores: dict, checks: dict) -> dict:
    """The order of the kinds, and the invariances."""
    targets = {}
    for name, row in scores.items():
        for lower, higher in ORDER:
            difference = row[higher]["score"] - row[lower]["score"]
            targets[f"{name}: {higher} - {lower}"] = target(difference, at_least=0)
    for name, row in checks.items():
        targets[f"{name}: identical"] = target(row["identical"], at_most=row["noise_floor_95"])
        moved = abs(row["trained_in_another_order"] - row["trained"])
        targets[f"{name}: change with the order"] = target(moved, at_most=1e-9)
        changed = abs(row["trained_through_another_tokenizer"] - row["trained"])
        targets[f"{name}: change with the tokenizer"] = target(changed, at_most=row["half_of_the_interval"])
    return targets


def draw(scores: dict, path: Path):
    """Scores with intervals, and the noise floor, for each feature."""
    matplotlib.rcParams["font.size"] = 10
    figure = Figure(figsize=(3.4 * len(scores), 3.6), layout="constrained")
    for axes, (name, row) in zip(figure.subplots(1, len(scores)), scores.items(), strict=True):
        heights = [row[kind]["score"] for kind in KINDS]
        spread = [(row[kind]["interval"][1] - row[kind]["interval"][0]) / 2 for kind in KINDS]
        axes.bar([kind.replace("_", "\n") for kind in KINDS], heights, yerr=spread, color="#0072B2", capsize=3)
        axes.axhline(row[REAL]["noise_floor_95"], color="#D55E00", linestyle="--", label="noise floor, 95%")
        axes.set_title(f"{name.replace('_', ' ')}, nats")
        axes.tick_params(axis="x", labelsize=7)
        axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
