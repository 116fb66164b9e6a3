"""Test runs of infilling, as they are judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from ..disk import to_json
from ..metrics import CHROMA, COMPARISONS, GROOVE, all_comparisons
from ..metrics.judged_spans import JudgedSpan
from ..runs import FinishedInfillRun, Infill, read_infill_run
from ..runs.infill_records import SpanRecord
from .infill_scores import Infills, InfillScores, add_baselines, score_infills
from .options import InfillScoringOptions

Place = tuple[str, int, int, frozenset[int] | None]
"""Label of piece and take, ticks where a span begins and ends, and its programs."""


def score_infill_runs(folders: Sequence[str | Path], options: InfillScoringOptions | None = None) -> InfillScores:
    """
    Judges runs of infills, beside the real bars and what anyone could put there.

    Args:
        folders (sequence of `str` or `Path`): of runs that filled the same spans of the same pieces.
        options ([`InfillScoringOptions`], *optional*): `InfillScoringOptions()` if not given.

    Returns:
        [`InfillScores`]: as of [`score_infills`], with the runs in its record.

    Raises:
        `OSError`: a run, the bundle or the embedding cannot be read.
        `ValueError`: as of [`read_infill_runs`], or there is no such comparison.
    """
    options = options or InfillScoringOptions()
    comparisons = all_comparisons([CHROMA, GROOVE, *options.comparisons], options.load_embedding())
    comparisons = (*comparisons[len(COMPARISONS) :], *comparisons[: len(COMPARISONS)])
    read = read_infill_runs(folders, options.labels)
    infills = add_baselines(read.spans, read.infills, options.seed, **continuing(options))
    scores = score_infills(read.spans, infills, comparisons, options.settings, read.incomplete)
    bundle = {"continue_with": options.continue_with, "continue_revision": options.continue_revision}
    settings = {"seed": options.seed, **bundle, **scores.record["settings"]}
    facts = [_facts(label, run) for label, run in zip(read.infills, read.runs, strict=True)]
    return replace(scores, record={"runs": facts, **scores.record, "settings": settings})


def continuing(options: InfillScoringOptions) -> dict[str, Any]:
    """Arguments of [`add_baselines`] for a bundle that goes on, if one was named."""
    if options.continue_with is None:
        return {}
    from ..generation import MidiContinuationPipeline  # with PyTorch, which is slow to import
    from ..models.fit import longest_context

    pipeline = MidiContinuationPipeline.from_pretrained(
        options.continue_with,
        revision=options.continue_revision,
        trust_remote_code=options.trust_remote_code,
        token=options.token,
    )
    half = {"prompt_length": context // 2} if (context := longest_context(pipeline.model.config)) else {}
    return {"continuation": pipeline, "batch_size": options.batch_size, **half}


def _facts(label: str, run: FinishedInfillRun) -> dict[str, Any]:
    left_out: dict[str, list[str]] = {}
    for piece in run.left_out:
        left_out.setdefault(piece.reason, []).append(piece.label)
    kept = sum(bool(span.kept) for piece in run.records for take in piece.takes for span in take.spans)
    facts = {"label": label, "folder": str(run.folder), "pieces": len(run.records), "left_out": left_out}
    return facts | {"kept_parts": kept, "settings": to_json(run.settings)}


@dataclass(frozen=True, eq=False)
class FilledSpans:
    """
    What runs put into the same spans.

    Args:
        spans (list of [`JudgedSpan`]): that all of them filled.
        infills (`dict[str, list]`): what each run put into them, by its label.
        incomplete (`dict[str, list]`): likewise, what ended each infill before its span was full, else `None`.
        runs (list of [`FinishedInfillRun`]): in the order of their labels.
    """

    spans: list[JudgedSpan]
    infills: Infills
    incomplete: dict[str, list[str | None]]
    runs: list[FinishedInfillRun]


def read_infill_runs(folders: Sequence[str | Path], labels: Sequence[str] | None = None) -> FilledSpans:
    """
    Reads runs that filled the same spans of the same pieces.

    A span that one of them has not filled, as it left the piece out, is left out of all.

    Args:
        folders (sequence of `str` or `Path`): that `scripts/infill_midi.py` wrote.
        labels (sequence of `str`, *optional*): what to call them; the names of their models if not given.

    Returns:
        [`FilledSpans`]

    Raises:
        `FileNotFoundError`: there is no run, or a file of it is missing.
        `ValueError`: a run is damaged, they are of other pieces or have no span in common, or labels are not one each.
    """
    runs = [read_infill_run(folder) for folder in folders]
    names = _labels(runs) if labels is None else list(labels)
    if len(names) != len(runs) or len(set(names)) < len(names):
        raise ValueError(f"Labels {names} of {len(runs)} runs: give one for each, no two alike.")
    if len({run.settings.pieces.sha256 for run in runs}) > 1:
        raise ValueError(f"{' and '.join(map(str, folders))} are of other pieces: judge runs of the same ones.")
    filled = [dict(_filled(run)) for run in runs]
    shared = [place for place in filled[0] if all(place in each for each in filled)]
    if not shared:
        raise ValueError(
            f"{' and '.join(map(str, folders))} have no filled span in common: give runs of the same bars and "
            "instruments."
        )
    found = FilledSpans([], {name: [] for name in names}, {name: [] for name in names}, runs)
    for place in shared:
        first, _ = filled[0][place]
        span = JudgedSpan(first.record.label, first.original, *place[1:])
        found.spans.append(span)
        for name, each in zip(names, filled, strict=True):
            infill, written = each[place]
            found.infills[name].append(span.notes_of(infill.infilled))
            found.incomplete[name].append(None if written.is_complete else written.stopped_by)
    return found


def _filled(run: FinishedInfillRun) -> Iterator[tuple[Place, tuple[Infill, SpanRecord]]]:
    for infill in run.infills():
        for span in infill.take.spans:
            programs = None if span.programs is None else frozenset(span.programs)
            yield (infill.label, *span.ticks, programs), (infill, span)


def _labels(runs: Sequence[FinishedInfillRun]) -> list[str]:
    """The last part of the name of each model, numbered where two have the same."""
    names = [PurePath(run.model.name).name for run in runs]
    if len(set(names)) == len(names):
        return names
    return [f"{number}. {name}" for number, name in enumerate(names, 1)]
