"""Judges infills of test pieces: by a trained model, by an untrained one, and by what anyone could put there.

    python benchmarks/infilling.py bach+folk runs/infill

README.md says what each figure means.
"""

import argparse
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from measuring import RESULTS, print_targets, save_result, target
from symusic.core import ScoreTick
from transformers import AutoModelForCausalLM, PreTrainedModel

from neuromusic_hf import MidiContinuationPipeline, MidiInfillingPipeline, MidiProcessor
from neuromusic_hf.bundles import find_bundle
from neuromusic_hf.metrics import JudgedSpan
from neuromusic_hf.metrics.infill_baselines import continue_only
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
    parser.add_argument("--pieces", type=int, default=100, help="so many that all can fill, drawn until there are")
    parser.add_argument("--bars", type=int, default=4, help="of a span")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=Path, help="folder for a page of each kind of span, with pieces to hear")
    parser.add_argument("--output", type=Path, default=RESULTS / "infilling.json", help="result file")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    model, untrained, processor = load(args.model)
    sources = find_pieces([args.corpus], data_dir=args.data_dir, model=args.model)
    shuffled = [sources[index] for index in torch.randperm(len(sources)).tolist()]
    answers = Answers.of(model, untrained, processor, args)
    left_out: dict[str, Counter[str]] = {ALL_TRACKS: Counter(), ONE_PROGRAM: Counter()}
    figures, targets = {}, {}
    for kind, reasons in left_out.items():
        filled = fill_spans(draw_spans(kind, shuffled, args, reasons), answers, args.pieces, reasons)
        if not filled.spans:
            continue
        scores = judge(filled, args.seed)
        figures[kind] = condensed(scores)
        targets |= {f"{kind}: {name}": entry for name, entry in make_targets(scores).items()}
        print(f"\n{kind}: {len(filled.spans)} spans", *figures[kind]["summary"], sep="\n")
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


def draw_spans(kind: str, sources: list, args: argparse.Namespace, left_out: Counter[str]) -> Iterator[Drawn]:
    """A span of each piece that has one: of all tracks, or of one program where others sound; counts the others."""
    for index, source in enumerate(sources):
        data, name = source.read(), f"{index:03d} {source.name}"
        try:
            score = load_score(data)
            bars = draw_span(score, args.bars, f"{args.seed} {index}")
            program = draw_program(score, [bars], f"{args.seed} {index}")
        except RefusedFile as refused:
            left_out[refused.reason] += 1
            continue
        start, end = bar_starts(score)[list(bars)].tolist()
        every, one = JudgedSpan(name, score, start, end), JudgedSpan(name, score, start, end, frozenset({program}))
        piece = {"bytes": data, "name": name, "bars": bars}
        if kind == ALL_TRACKS:
            yield Drawn(every, piece)
        elif one.removed.note_num() == every.removed.note_num():
            left_out["one_program_alone"] += 1
        else:
            yield Drawn(one, piece | {"instruments": [program]})


@dataclass(frozen=True)
class Answers:
    """
    What fills spans in all ways that may refuse one.

    Args:
        models (`dict[str, MidiInfillingPipeline]`): by their names.
        continuation ([`MidiContinuationPipeline`]): goes on from what precedes a span.
        asked (`dict`): seed and size of batches.
        prompt_length (`int`): tokens of a continuation's prompt.
    """

    models: dict[str, MidiInfillingPipeline]
    continuation: MidiContinuationPipeline
    asked: dict[str, int]
    prompt_length: int

    @classmethod
    def of(
        cls, model: PreTrainedModel, untrained: PreTrainedModel, processor: MidiProcessor, args: argparse.Namespace
    ) -> "Answers":
        """Those of a model, and of another of its config."""
        models = {
            TRAINED: MidiInfillingPipeline(model, processor),
            UNTRAINED: MidiInfillingPipeline(untrained, processor),
        }
        asked = {"seed": args.seed, "batch_size": args.batch_size}
        return cls(models, MidiContinuationPipeline(model, processor), asked, longest_context(model.config) // 2)

    def to(self, drawn: list[Drawn]) -> dict[str, list[tuple[ScoreTick | RefusedFile, str | None]]]:
        """By name, what is put into each span, at tick 0, or why nothing; and what ended those not complete."""
        spans = [each.span for each in drawn]
        continued = continue_only(spans, self.continuation, self.prompt_length, **self.asked)
        return {name: fill(pipeline, drawn, self.asked) for name, pipeline in self.models.items()} | {
            CONTINUATION: [(each, None) for each in continued]
        }


@dataclass(frozen=True)
class Filled:
    """Spans that all answers have filled; by the names of answers what is in them, and what ended them too early."""

    spans: list[JudgedSpan] = field(default_factory=list)
    infills: dict[str, list[ScoreTick]] = field(default_factory=dict)
    incomplete: dict[str, list[str | None]] = field(default_factory=dict)


def fill_spans(drawn: Iterator[Drawn], answers: Answers, count: int, left_out: Counter[str]) -> Filled:
    """The first `count` spans that all answers can fill, as far as there are so many; counts the others by reason."""
    filled = Filled()
    while chunk := list(itertools.islice(drawn, count - len(filled.spans))):
        found = answers.to(chunk)
        for index, each in enumerate(chunk):
            refused = [row[index][0] for row in found.values() if isinstance(row[index][0], RefusedFile)]
            if refused:
                left_out[refused[0].reason] += 1
                continue
            filled.spans.append(each.span)
            for name, row in found.items():
                filled.infills.setdefault(name, []).append(row[index][0])
                filled.incomplete.setdefault(name, []).append(row[index][1])
    return filled


def judge(filled: Filled, seed: int) -> InfillScores:
    """Judges what is in the spans, beside the real bars and what anyone could put there."""
    models, incomplete = (
        {name: each[name] for name in (TRAINED, UNTRAINED)} for each in (filled.infills, filled.incomplete)
    )
    infills = add_baselines(filled.spans, models, seed) | {CONTINUATION: filled.infills[CONTINUATION]}
    return score_infills(filled.spans, infills, incomplete=incomplete)


def fill(
    pipeline: MidiInfillingPipeline, drawn: list[Drawn], asked: dict
) -> list[tuple[ScoreTick | RefusedFile, str | None]]:
    """What a model puts into spans, and what ended those that are not complete."""
    return [
        _filled(each.span, result)
        for each, result in zip(drawn, pipeline([each.piece for each in drawn], **asked), strict=True)
    ]


def _filled(span: JudgedSpan, result: dict[str, Any]) -> tuple[ScoreTick | RefusedFile, str | None]:
    if result["midi"] is None:
        return RefusedFile(**result["skipped"]), None
    (facts,) = result["spans"]
    if facts["kept"]:
        return RefusedFile("unheard_programs", f"the programs {facts['kept']} stay"), None
    stop = facts["stopped_by"]
    return span.notes_of(result["midi"]), None if stop == COMPLETE else stop


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
