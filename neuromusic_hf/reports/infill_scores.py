"""What infills score, beside the real bars and what anyone could put there."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from symusic.core import ScoreTick
from tqdm import tqdm

from ..disk import user_path, write_json
from ..metrics import INFILL_COMPARISONS, Comparison, ScoreSettings, score_distances
from ..metrics.infill_baselines import continue_only, copy_before, take_elsewhere
from ..metrics.infills import Judgement, Measure, judge_span, measures
from ..metrics.judged_spans import SURROUNDING_BARS, JudgedSpan
from ..metrics.means import Mean, halves_difference, mean_of
from ..music import RefusedFile
from .infill_counts import count_incomplete, count_repeats

INFILL_SCORES_NAME = "infill_scores.json"
SPANS_STEM = "infill_spans"
REAL, COPY, ELSEWHERE, CONTINUATION = "real", "copy", "elsewhere", "continuation"
TITLES = {
    REAL: "the real bars",
    COPY: "the bars before, copied",
    ELSEWHERE: "bars of another piece",
    CONTINUATION: "continuation only",
}
"""Of what is judged beside the infills of models."""

RECORDED_PACKAGES = ("neuromusic_hf", "numpy", "symusic", "mir_eval")

Infills = dict[str, list[ScoreTick | RefusedFile]]
"""By who put them there: an infill for each span, the span's start at tick 0; or why there is none."""


Incomplete = Mapping[str, Sequence[str | None]]
"""By names of models: what ended each infill before its span was full, `None` where it is complete."""


@dataclass(frozen=True, eq=False)
class InfillScores:
    """
    What infills score.

    Args:
        record (`dict`): means, scores, settings and versions, as plain JSON values.
        table ([`pandas.DataFrame`]): a row for each span and who filled it.
        measures (`tuple[Measure, ...]`): that were taken.
        comparisons (`tuple[Comparison, ...]`): that are among them.
        spans (list of [`JudgedSpan`]): that were filled.
        infills (`dict[str, list]`): what was put into each.
        incomplete (`dict[str, list]`): by models, what ended each infill before its span was full, else `None`.
    """

    record: dict[str, Any]
    table: pd.DataFrame
    measures: tuple[Measure, ...]
    comparisons: tuple[Comparison, ...]
    spans: list[JudgedSpan]
    infills: Infills
    incomplete: Incomplete

    @property
    def models(self) -> list[str]:
        """Who filled the spans, without the real bars and what anyone could put there."""
        return [kind for kind in self.infills if kind not in TITLES]

    def save(self, folder: str | Path):
        """Writes `infill_scores.json`, `infill_spans.parquet` and `.csv`; the folder is made if missing."""
        folder = user_path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / INFILL_SCORES_NAME, self.record, ascii_only=False)
        self.table.to_parquet(folder / f"{SPANS_STEM}.parquet", index=False)
        self.table.to_csv(folder / f"{SPANS_STEM}.csv", index=False)


def add_baselines(
    spans: Sequence[JudgedSpan],
    infills: Infills,
    seed: int,
    continuation: Callable[..., list[dict]] | None = None,
    **arguments: Any,
) -> Infills:
    """
    The real bars and what anyone could put there, beside infills.

    Args:
        spans (sequence of [`JudgedSpan`]): that were filled.
        infills (`dict[str, list]`): by the names of models.
        seed (`int`): of the bars of other pieces that are drawn, for each span anew, and of continuations.
        continuation ([`MidiContinuationPipeline`], *optional*): to go on from what precedes each span.
        arguments: of that pipeline.

    Raises:
        `ValueError`: a model has the name of a baseline, or not one infill for each span.
    """
    if taken := set(TITLES) & set(infills):
        raise ValueError(f"A model cannot be called {min(taken)!r}, as a baseline is: give it another label.")
    for name, each in infills.items():
        if len(each) != len(spans):
            raise ValueError(f"{name} has {len(each)} infills for {len(spans)} spans: give one for each.")
    pieces = list({id(span.piece): span.piece for span in spans}.values())
    found: Infills = {REAL: [span.removed for span in spans], **infills}
    found[COPY] = [_infill(copy_before, span) for span in spans]
    found[ELSEWHERE] = [
        _infill(take_elsewhere, span, pieces, np.random.default_rng([seed, index])) for index, span in enumerate(spans)
    ]
    if continuation is not None:
        found[CONTINUATION] = continue_only(spans, continuation, seed=seed, **arguments)
    return found


def _infill(baseline: Callable[..., ScoreTick], *arguments: Any) -> ScoreTick | RefusedFile:
    try:
        return baseline(*arguments)
    except RefusedFile as refused:
        return refused


def score_infills(
    spans: Sequence[JudgedSpan],
    infills: Infills,
    comparisons: Sequence[Comparison] = INFILL_COMPARISONS,
    settings: ScoreSettings | None = None,
    incomplete: Incomplete | None = None,
) -> InfillScores:
    """
    Judges infills by all measures.

    A piece counts by the mean of its spans and takes. How far infills are from the real bars is taken piece by piece,
    and so is by how much they are nearer to them than a copy of the bars before (`to_copy` under 0).

    Args:
        spans (sequence of [`JudgedSpan`]): that were filled; spans of one name are of one piece.
        infills (`dict[str, list]`): from [`add_baselines`].
        comparisons (sequence of [`Comparison`], *optional*, defaults to [`INFILL_COMPARISONS`]):
            Of an infill with its surroundings.
        settings ([`ScoreSettings`], *optional*): `ScoreSettings()` if not given.
        incomplete (`dict[str, list]`, *optional*):
            Which infills end before their span is full: what ended them, and `None` for the others; of models that are
            not in it, nothing is said.

    Returns:
        [`InfillScores`]. Infills that a measure is not defined for are counted and named, by reason.
    """
    settings, incomplete = settings or ScoreSettings(), incomplete or {}
    ready = tuple(each.bind() for each in comparisons)
    taken = measures(ready)
    rows = []
    for index, span in enumerate(tqdm(spans, desc="Judging", unit="span")):
        judged = judge_span(span, {kind: each[index] for kind, each in infills.items()}, ready)
        rows += [_row(index, span, kind, judgement, taken) for kind, judgement in judged.items()]
    table = pd.DataFrame(rows, columns=_columns(taken))
    ended = [incomplete[row["kind"]][row["span"]] if row["kind"] in incomplete else None for row in rows]
    table.insert(table.columns.get_loc("repeats") + 1, "incomplete", pd.Series(ended, dtype="object"))
    by_piece = {each.name: _by_piece(table, each) for each in taken}
    record = {
        "pieces": len({span.name for span in spans}),
        "spans": len(spans),
        "kinds": {kind: TITLES.get(kind, kind) for kind in infills},
        "measures": {each.name: _measure(table, by_piece[each.name], each, settings) for each in taken},
        "repeats": {kind: count_repeats(table, kind) | count_incomplete(incomplete.get(kind)) for kind in infills},
        "scores": {
            kind: {each.score_name: _score(by_piece[each.name], kind, settings) for each in ready}
            for kind in infills
            if kind != REAL
        },
        "settings": {
            "scores": asdict(settings),
            "surrounding_bars": SURROUNDING_BARS,
            "comparisons": {each.name: each.describe() for each in ready},
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in RECORDED_PACKAGES}},
    }
    return InfillScores(record, table, taken, ready, list(spans), infills, incomplete)


def _row(index: int, span: JudgedSpan, kind: str, judgement: Judgement, taken: Sequence[Measure]) -> dict[str, Any]:
    names = [each.name for each in taken]
    return {
        "span": index,
        "name": span.name,
        "start": span.start,
        "end": span.end,
        "bars": span.num_bars,
        "programs": None if span.programs is None else " ".join(map(str, sorted(span.programs))),
        "kind": kind,
        "notes": judgement.notes,
        "repeats": judgement.repeats,
        **{name: judgement.values.get(name) for name in names},
        **{f"{name}_undefined": judgement.undefined.get(name) for name in names},
    }


def _columns(taken: Sequence[Measure]) -> list[str]:
    facts = ["span", "name", "start", "end", "bars", "programs", "kind", "notes", "repeats"]
    return [*facts, *(each.name for each in taken), *(f"{each.name}_undefined" for each in taken)]


def _by_piece(table: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The mean of each piece, a column for each kind; missing where it is undefined in all of its spans."""
    values = table.assign(value=table[measure.name].astype("float64"))
    return values.pivot_table(index="name", columns="kind", values="value", aggfunc="mean", sort=False)


def _measure(table: pd.DataFrame, by_piece: pd.DataFrame, measure: Measure, settings: ScoreSettings) -> dict[str, Any]:
    known = COPY if measure.real is not None else REAL
    floor = halves_difference(_values(by_piece, known), settings.splits, settings.seed)
    kinds = table["kind"].unique().tolist()
    return {
        **asdict(measure),
        "noise_floor": floor,
        "noise_floor_of": known,
        "kinds": {kind: _kind(table, by_piece, measure, kind, settings) for kind in kinds},
    }


def _kind(
    table: pd.DataFrame, by_piece: pd.DataFrame, measure: Measure, kind: str, settings: ScoreSettings
) -> dict[str, Any]:
    def mean(values: pd.Series) -> Mean:
        return mean_of(values.dropna().to_numpy(np.float64), settings.resamples, settings.seed)

    own, real, copy = (
        by_piece[each] if each in by_piece else pd.Series(dtype="float64") for each in (kind, REAL, COPY)
    )
    away, copy_away = (own - real).abs(), (copy - real).abs()
    undefined = table.loc[(table["kind"] == kind) & table[f"{measure.name}_undefined"].notna()]
    reasons = undefined.groupby(f"{measure.name}_undefined", sort=False)["name"].apply(list).to_dict()
    return {
        **asdict(mean(own)),
        "away": asdict(mean(away)),
        "to_copy": asdict(mean(away - copy_away)),
        "undefined": reasons,
    }


def _values(by_piece: pd.DataFrame, kind: str) -> np.ndarray:
    return by_piece[kind].dropna().to_numpy(np.float64) if kind in by_piece else np.zeros(0)


def _score(by_piece: pd.DataFrame, kind: str, settings: ScoreSettings) -> dict[str, Any]:
    """How the similarities of infills to their surroundings differ from those of the real bars, over the pieces."""
    if not {kind, REAL} <= set(by_piece):
        return score_distances(np.zeros(0), np.zeros(0), settings).to_dict()
    both = by_piece[[REAL, kind]].dropna()
    return score_distances(both[REAL].to_numpy(), both[kind].to_numpy(), settings).to_dict()
