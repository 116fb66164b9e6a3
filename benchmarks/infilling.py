"""Judges infills of test pieces: by a trained model, by an untrained one, and by what anyone could put there.

    python benchmarks/infilling.py bach+folk runs/infill

README.md says what each figure means.
"""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import torch
from measuring import RESULTS, print_targets, save_result, target
from symusic.core import ScoreTick
from transformers import AutoModelForCausalLM, PreTrainedModel

from neuromusic_hf import MidiContinuationPipeline, MidiInfillingPipeline, MidiProcessor
from neuromusic_hf.bundles import find_bundle
from neuromusic_hf.metrics import JudgedSpan
from neuromusic_hf.models.fit import longest_context
from neuromusic_hf.music import RefusedFile, bar_starts, load_score
from neuromusic_hf.reports import InfillScores, add_baselines, score_infills, write_infill_report
from neuromusic_hf.reports.infill_pictures import plot_means
from neuromusic_hf.reports.infill_scores import CONTINUATION, ELSEWHERE
from neuromusic_hf.reports.infill_sentences import summarise
from neuromusic_hf.runs import draw_program, draw_span, find_pieces
from neuromusic_hf.runs.infill_records import COMPLETE

NOTE_F1 = "note_f1"
TRAINED, UNTRAINED = "trained", "untrained"
ALL_TRACKS, ONE_PROGRAM = "all_tracks", "one_program"
ORDER = ((TRAINED, UNTRAINED), (TRAINED, ELSEWHERE), (TRAINED, CONTINUATION))
"""Pairs of which the first has the higher note F1, if the model has learned to infill."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", help="name, whose test split is filled, or a folder, all of which is")
    parser.add_argument("model", help="folder of a bundle that was trained on its train split, with --infill_share")
    parser.add_argument("--data_dir", help="where the corpus lies, if it is here already")
    parser.add_argument("--pieces", type=int, default=100, help="so many that can be filled, chosen at random")
    parser.add_argument("--bars", type=int, default=4, help="of a span")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=Path, help="folder for a page of each kind of span, with pieces to hear")
    parser.add_argument("--output", type=Path, default=RESULTS / "infilling.json", help="result file")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    model, untrained, processor = load(args.model)
    sources = find_pieces([args.corpus], data_dir=args.data_dir)
    shuffled = [sources[index] for index in torch.randperm(len(sources)).tolist()]
    spans, left_out = draw_spans(shuffled, args)
    figures, targets = {}, {}
    for kind, drawn in spans.items():
        if not drawn:
            continue
        scores = judge(drawn, model, untrained, processor, args)
        figures[kind] = condensed(scores)
        targets |= {f"{kind}: {name}": entry for name, entry in make_targets(scores).items()}
        print(f"\n{kind}: {len(drawn)} spans", *figures[kind]["summary"], sep="\n")
        print_table(figures[kind])
        plot_means(scores.record).savefig(args.output.with_name(f"{args.output.stem}_{kind}.png"))
        if args.report:
            write_infill_report(scores, args.report / kind)
    print_targets(targets)
    settings = {name: getattr(args, name) for name in ("pieces", "bars", "batch_size", "seed")}
    settings |= {
        "corpus": "+".join(Path(name).name for name in args.corpus.split("+")),
        "context_length": longest_context(model.config),
    }
    settings |= {"tokenization": processor.tokenization, "parameters": model.num_parameters()}
    result = {"settings": settings, "left_out": left_out, "spans": figures, "targets": targets}
    save_result(args.output, "infilling", result)


def load(name: str) -> tuple[PreTrainedModel, PreTrainedModel, MidiProcessor]:
    """The model of a bundle, another of its config with random weights, and its processor."""
    bundle = find_bundle(name)
    model = AutoModelForCausalLM.from_pretrained(bundle)
    untrained = AutoModelForCausalLM.from_config(model.config)
    untrained.generation_config = model.generation_config
    return model.eval(), untrained.eval(), MidiProcessor.from_pretrained(bundle)


class Drawn(NamedTuple):
    """A span, and its piece as an input of the pipeline."""

    span: JudgedSpan
    piece: dict[str, Any]


def draw_spans(sources: list, args: argparse.Namespace) -> tuple[dict[str, list[Drawn]], dict[str, dict[str, int]]]:
    """
    A span of all tracks, and one of a program where others sound, of so many pieces each.

    Returns:
        The spans, and how many pieces have none, by reason.
    """
    drawn: dict[str, list[Drawn]] = {ALL_TRACKS: [], ONE_PROGRAM: []}
    left_out = {kind: Counter() for kind in drawn}
    for index, source in enumerate(sources):
        if all(len(found) >= args.pieces for found in drawn.values()):
            break
        data, name = source.read(), f"{index:03d} {source.name}"
        try:
            score = load_score(data)
            bars = draw_span(score, args.bars, f"{args.seed} {index}")
            program = draw_program(score, [bars], f"{args.seed} {index}")
        except RefusedFile as refused:
            for reasons in left_out.values():
                reasons[refused.reason] += 1
            continue
        start, end = bar_starts(score)[list(bars)].tolist()
        every, one = JudgedSpan(name, score, start, end), JudgedSpan(name, score, start, end, frozenset({program}))
        piece = {"bytes": data, "name": name, "bars": bars}
        if len(drawn[ALL_TRACKS]) < args.pieces:
            drawn[ALL_TRACKS].append(Drawn(every, piece))
        if one.removed.note_num() == every.removed.note_num():
            left_out[ONE_PROGRAM]["one_program_alone"] += 1
        elif len(drawn[ONE_PROGRAM]) < args.pieces:
            drawn[ONE_PROGRAM].append(Drawn(one, piece | {"instruments": [program]}))
    return drawn, {kind: dict(reasons) for kind, reasons in left_out.items()}


def judge(
    drawn: list[Drawn],
    model: PreTrainedModel,
    untrained: PreTrainedModel,
    processor: MidiProcessor,
    args: argparse.Namespace,
) -> InfillScores:
    """Fills the spans in all ways, and judges."""
    asked = {"seed": args.seed, "batch_size": args.batch_size}
    filled, incomplete = {}, {}
    for name, each in ((TRAINED, model), (UNTRAINED, untrained)):
        filled[name], incomplete[name] = fill(MidiInfillingPipeline(each, processor), drawn, asked)
    spans = [each.span for each in drawn]
    asked["prompt_length"] = longest_context(model.config) // 2
    return score_infills(
        spans,
        add_baselines(spans, filled, continuation=MidiContinuationPipeline(model, processor), **asked),
        incomplete=incomplete,
    )


def fill(
    pipeline: MidiInfillingPipeline, drawn: list[Drawn], asked: dict
) -> tuple[list[ScoreTick | RefusedFile], list[str | None]]:
    """What a model puts into spans, each at tick 0; and what ended those that are not complete."""
    infills: list[ScoreTick | RefusedFile] = []
    incomplete = []
    for each, result in zip(drawn, pipeline([each.piece for each in drawn], **asked), strict=True):
        skipped = result["midi"] is None
        infills.append(RefusedFile(**result["skipped"]) if skipped else each.span.notes_of(result["midi"]))
        stop = COMPLETE if skipped else result["spans"][0]["stopped_by"]
        incomplete.append(None if stop == COMPLETE else stop)
    return infills, incomplete


def condensed(scores: InfillScores) -> dict[str, Any]:
    """What is committed of a record: names of pieces, settings and versions are left out."""
    record = scores.record
    kept = {name: record[name] for name in ("pieces", "spans", "repeats", "scores")}
    return {"summary": summarise(record, scores.models), "measures": counted(record["measures"]), **kept}


def counted(measures: dict[str, dict]) -> dict[str, dict]:
    """With how many spans a measure is not defined for, by reason, in place of their names."""
    return {
        name: measure
        | {
            "kinds": {
                kind: found | {"undefined": {reason: len(names) for reason, names in found["undefined"].items()}}
                for kind, found in measure["kinds"].items()
            }
        }
        for name, measure in measures.items()
    }


def make_targets(scores: InfillScores) -> dict[str, dict]:
    """Mean note F1 of the trained model less that of others."""
    kinds = scores.record["measures"][NOTE_F1]["kinds"]
    return {
        f"note F1, {higher} - {lower}": target(kinds[higher]["mean"] - kinds[lower]["mean"], at_least=0)
        for higher, lower in ORDER
        if kinds[lower]["mean"] is not None
    }


def print_table(figures: dict[str, Any]):
    """Markdown: a row for each who filled the spans, a column for each measure."""
    measures = figures["measures"].values()
    print(f"\n| | {' | '.join(each['title'] for each in measures)} |\n|---{'|---' * len(measures)}|")
    for kind in next(iter(measures))["kinds"]:
        print(f"| {kind} | {' | '.join(told(each['kinds'][kind]) for each in measures)} |")


def told(found: dict) -> str:
    """As `0.41 (0.38 to 0.44)`."""
    if found["interval"] is None:
        return "–" if found["mean"] is None else f"{found['mean']:.3f}"
    return f"{found['mean']:.3f} ({found['interval'][0]:.3f} to {found['interval'][1]:.3f})"


if __name__ == "__main__":
    main()
