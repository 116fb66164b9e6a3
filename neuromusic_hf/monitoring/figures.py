"""What of a test of continuations is a number worth a curve."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..music import TempoMap, gather_notes, load_score
from ..reports import RunScores
from ..runs import FinishedRun, PieceRecord
from .copying import copying_p_value

LOG_PREFIX = "eval_continuations/"
LOGGED_FIGURES = ("noise_floor_95", "overlap_area", "mean_original", "mean_generated", "num_dropped")
"""Of each score, beside itself."""

NOVELTY_FIGURES = (
    *("mean_original", "mean_generated", "longest_original", "longest_generated"),
    *("share_beyond_originals", "num_dropped"),
)

COPYING = "novelty_p_value"
"""How likely continuations share so long runs by chance."""

EOS = 1
"""Token of a piece that its record does not count."""


def scalar_figures(run: FinishedRun, scores: RunScores) -> dict[str, float]:
    """
    What of a test run is a number worth a curve, by its name for [`~transformers.Trainer.log`].

    Args:
        run ([`FinishedRun`]): of continuations.
        scores ([`RunScores`]): of it.
    """
    record = scores.record
    figures = {}
    for name, score in record["scores"].items():
        figures[name] = score["score"]
        figures |= {f"{name}_{figure}": score[figure] for figure in LOGGED_FIGURES}
    novelty = record["novelty"] or {}
    figures |= {f"novelty_{figure}": novelty.get(figure) for figure in NOVELTY_FIGURES}
    figures[COPYING] = copying_p_value(scores.table)
    figures["entropy_nats"] = record["mean_entropy_nats"]
    figures["token_error_rate"] = record["token_errors"]["token_error_rate"]
    figures |= dict(length_figures(run))
    figures["pieces"] = record["pieces"]["continued"]
    figures["pieces_left_out"] = sum(map(len, record["pieces"]["left_out"].values()))
    return {f"{LOG_PREFIX}{name}": value for name, value in figures.items() if value is not None}


def length_figures(run: FinishedRun) -> Iterator[tuple[str, float]]:
    """
    How long continuations are, and pieces of which the model found an end.

    Args:
        run ([`FinishedRun`]): of continuations.

    Yields:
        `ended_share`, of the continuations; `tokens_generated` and `seconds_generated`, of a continuation in the mean;
        and of the pieces that the model ended itself, prompt, continuation and EOS together, `ended_piece_tokens` and
        `ended_piece_seconds`, which compare with `piece_tokens` and `piece_seconds` of the train split. What no piece
        has is left out.
    """
    if not run.records:
        return
    seconds = {record.index: _seconds(run, record) for record in run.records}
    ended = [record for record in run.records if record.ended_with_eos]
    yield "ended_share", len(ended) / len(run.records)
    lengths: dict[str, list] = {
        "tokens_generated": [record.generated_tokens for record in run.records],
        "seconds_generated": [new for new, _ in seconds.values()],
        "ended_piece_tokens": [
            record.prompt_tokens + record.generated_tokens + EOS
            for record in ended
            if record.prompt_tokens is not None and record.generated_tokens is not None
        ],
        "ended_piece_seconds": [seconds[record.index][1] for record in ended],
    }
    for name, values in lengths.items():
        if known := [value for value in values if value is not None]:
            yield name, float(np.mean(known))


def _seconds(run: FinishedRun, record: PieceRecord) -> tuple[float, float | None]:
    """How long a continuation goes on after its first note begins, and how long the whole piece is."""
    new = load_score(run.folder / record.files.generated)
    full = None if record.files.full is None else load_score(run.folder / record.files.full)
    notes, clock = gather_notes(new), TempoMap.of(new)
    length = 0.0
    if len(notes):
        length = float(clock.to_seconds(notes.end.max()) - clock.to_seconds(notes.onset.min()))
    return length, None if full is None else float(TempoMap.of(full).to_seconds(gather_notes(full).end.max(initial=0)))
