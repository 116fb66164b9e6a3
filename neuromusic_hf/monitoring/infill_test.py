"""Bars of fixed pieces, filled in anew while a model trains, and judged beside the notes that were cut out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from transformers import PreTrainedModel

from ..generation import MidiInfillingPipeline
from ..metrics.infills import NOTE_F1, NOTE_F1_OFFSETS, judge_span
from ..reports.infill_runs import read_infill_runs
from ..reports.infill_scores import COPY, ELSEWHERE, REAL, add_baselines
from ..runs import (
    INFILLS,
    ContinuationSettings,
    InfillManifest,
    InfillSettings,
    InfillWriter,
    OutputSettings,
    PieceSource,
    RunFolder,
    read_infill_run,
)
from ..tokenization import MidiProcessor
from .media import INFILLS_PREFIX, Media

INFILLS_FOLDER = "eval_infills"
FIGURES_PREFIX = f"{INFILLS_FOLDER}/"

SPAN_BARS = 2
"""That are filled in each piece."""

MODEL = "model"
KINDS = {MODEL: "generated", REAL: "original", COPY: "copy", ELSEWHERE: "elsewhere"}
"""Who filled the spans, by what they are called in the names of figures."""


def infill_run(
    model: PreTrainedModel | None,
    processor: MidiProcessor,
    pieces: Sequence[PieceSource],
    folder: Path,
    like: ContinuationSettings,
    output: OutputSettings,
) -> InfillWriter:
    """
    The test run of infills of a model as it is: of all tracks, in bars drawn by the seed and the bytes of a piece.

    Args:
        model ([`~transformers.PreTrainedModel`], *optional*): that is taught to fill in; none in a process that
            leaves it to another.
        processor ([`MidiProcessor`]): of its vocabulary.
        pieces (sequence of [`PieceSource`]): of which bars are filled in.
        folder (`Path`): where to write.
        like ([`ContinuationSettings`]): whose batch size and seed it takes.
        output ([`OutputSettings`]): of sounds.
    """
    pipeline = model and MidiInfillingPipeline(model, processor, device=model.device)
    settings = InfillSettings(span_bars=SPAN_BARS, batch_size=like.batch_size, seed=like.seed)
    return InfillWriter(pipeline, pieces, RunFolder(folder, INFILLS), settings, output)


def infill_figures(folder: Path, manifest: InfillManifest) -> dict[str, float]:
    """
    What of a finished run of infills is a number worth a curve.

    Args:
        folder (`Path`): of the run.
        manifest ([`InfillManifest`]): of the run.

    Returns:
        `dict[str, float]`: by names for [`~transformers.Trainer.log`]: pieces, and those left out; the share of spans
            that the model came to the end of; and in the mean of the spans note F1 against the notes that were cut
            out, without and with their ends, and repetition, of the model (`_generated`), of the bars before (`_copy`)
            and of bars of other pieces (`_elsewhere`). What is not defined of any span is left out.
    """
    figures: dict[str, float] = {
        "pieces": len(manifest.pieces),
        "pieces_left_out": len(manifest.pieces_left_out),
    }
    if manifest.pieces:
        figures["complete_share"] = manifest.complete / (manifest.complete + sum(manifest.incomplete.values()))
        figures |= _note_figures(folder, manifest.settings.infilling.seed)
    return {f"{FIGURES_PREFIX}{name}": value for name, value in figures.items()}


def _note_figures(folder: Path, seed: int) -> dict[str, float]:
    read = read_infill_runs([folder], [MODEL])
    infills = add_baselines(read.spans, read.infills, seed)
    found: dict[str, list[float]] = {}
    for index, span in enumerate(read.spans):
        judged = judge_span(span, {kind: each[index] for kind, each in infills.items()}, comparisons=())
        for kind, judgement in judged.items():
            for measure, value in judgement.values.items():
                found.setdefault(f"{measure}_{KINDS[kind]}", []).append(value)
    of_original = {f"{measure.name}_{KINDS[REAL]}" for measure in (NOTE_F1, NOTE_F1_OFFSETS)}  # 1 by definition
    return {name: float(np.mean(values)) for name, values in found.items() if name not in of_original}


def infill_media(folder: Path, shown: int) -> Media:
    """
    Pictures and sounds of the first pieces.

    Args:
        folder (`Path`): of the run.
        shown (`int`): pieces to show, of the lowest indices.
    """
    media, run = Media(), read_infill_run(folder)
    for record in run.records:
        if record.index < shown:
            (take,) = record.takes
            name = f"{INFILLS_PREFIX}{record.stem}"
            if (picture := run.path(take.files.picture)) is not None:
                media.pictures[name] = picture
            for word, file in (("infilled", take.files.audio), ("original", record.files.audio)):
                if (sound := run.path(file)) is not None:
                    media.sounds[f"{name}/{word}"] = sound
    return media
