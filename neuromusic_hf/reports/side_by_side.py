"""Several scored runs side by side, as a table and as a picture."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..disk import check_output_folder, from_json, read_json, to_json, user_path, write_whole
from ..hub.markdown import escape
from ..metrics import COMPARISONS
from .pictures import plot_scores
from .run_scores import SCORES_NAME
from .sentences import below_floor

TABLE_NAME = "comparison.md"
PICTURE_NAME = "comparison.png"

MUST_AGREE = {
    "pieces": ("run", "pieces", "sha256"),
    "prompt length": ("run", "continuation", "prompt_length"),
    "length of continuation": ("run", "continuation", "continue_length"),
    "score settings": ("scores",),
    "harmony embedding": ("harmony_embedding",),
    "training corpus": ("train_corpus",),
    "notes of the training corpus": ("train_notes_sha256",),
    "version of the splits": ("split_version",),
    "shares of the splits": ("split_shares",),
    "whether pieces with a twin in train count": ("clean_test",),
}
"""Settings without which scores cannot be compared, by what they are."""


@dataclass(frozen=True)
class ModelFacts:
    """What of the model of `scores.json` is read again."""

    name: str
    model_type: str | None = None
    tokenization: str | None = None


@dataclass(frozen=True)
class ScoreRecord:
    """What of a score of `scores.json` is read again."""

    score: float | None
    interval: tuple[float, float] | None
    noise_floor: float | None
    noise_floor_95: float | None
    num_pieces: int


@dataclass(frozen=True)
class RateRecord:
    """What of token errors and of novelty in `scores.json` is read again."""

    token_error_rate: float | None = None
    share_beyond_originals: float | None = None


@dataclass(frozen=True)
class RunRecord:
    """Settings of the run in `scores.json` that must agree."""

    pieces: dict[str, Any] | None = None
    continuation: dict[str, Any] | None = None


@dataclass(frozen=True)
class ComparisonRecord:
    """What of a comparison in `scores.json` is read again: its title, and the functions that compare."""

    title: str
    feature: str
    distance: str

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells it from another of its name: its functions, or this package, whose functions may be moved."""
        package = __name__.partition(".")[0]
        return (package,) if self.feature.startswith(f"{package}.") else (self.feature, self.distance)


@dataclass(frozen=True)
class SettingsRecord:
    """What of the settings in `scores.json` is read again."""

    run: RunRecord | None = None
    scores: Any = None
    comparisons: dict[str, ComparisonRecord] = field(default_factory=dict)
    harmony_embedding: Any = None
    train_corpus: Any = None
    train_notes_sha256: Any = None
    split_version: Any = None
    split_shares: Any = None
    clean_test: bool = False


@dataclass(frozen=True)
class ScoresRecord:
    """What of `scores.json` is read again."""

    model: ModelFacts
    scores: dict[str, ScoreRecord]
    token_errors: RateRecord | None
    novelty: RateRecord | None
    settings: SettingsRecord


@dataclass(frozen=True)
class ScoredRun:
    """
    A run that is compared.

    Args:
        label (`str`): of its row: the folder, and model type and tokenization where they are known.
        record ([`ScoresRecord`]): its `scores.json`.
    """

    label: str
    record: ScoresRecord

    @property
    def scores(self) -> dict[str, ScoreRecord]:
        """By name."""
        return self.record.scores

    def comparison(self, score_name: str) -> ComparisonRecord | None:
        """What a score of this run compares; versions that did not record it knew those of this package alone."""
        ours = {each.score_name: each.describe() for each in COMPARISONS}
        if score_name in self.record.settings.comparisons or score_name not in ours:
            return self.record.settings.comparisons.get(score_name)
        return from_json(ours[score_name], ComparisonRecord, score_name)


def compare_runs(runs: Sequence[str | Path], folder: str | Path) -> Path:
    """
    Writes `comparison.md` and `comparison.png`: the scores of several runs with their intervals and noise floors.

    A score that not all of them have is a dash for the others.

    Args:
        runs (sequence of `str` or `Path`): each `scores.json`, or the folder that holds it; rows keep their order.
        folder (`str` or `Path`): where to write; made if missing.

    Returns:
        `Path`: of the table.

    Raises:
        `FileNotFoundError`: a run has no scores yet.
        `ValueError`: a file does not hold the scores of a run.
    """
    scored = [_read(user_path(run)) for run in runs]
    folder = user_path(folder)
    check_output_folder(folder)
    table = folder / TABLE_NAME
    titles = _titles(scored)
    write_whole(table, "\n".join(_markdown(scored, titles)) + "\n")
    # The row number keeps runs apart that have one label.
    labels = [f"{number}. {run.label}" for number, run in enumerate(scored, 1)]
    rows = {label: to_json(run.scores) for label, run in zip(labels, scored, strict=True)}
    plot_scores(rows, titles).savefig(folder / PICTURE_NAME)
    return table


def _read(path: Path) -> ScoredRun:
    path = path / SCORES_NAME if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}: score the run first, with scripts/score_continuations.py.")
    what, remedy = "does not hold the scores of a run", "Score the run again, with scripts/score_continuations.py."
    record = read_json(path, ScoresRecord, what, remedy)
    if not record.scores:
        raise ValueError(f"{path} {what}: there is none. {remedy}")
    for name, score in record.scores.items():
        unknown = [each is None for each in (score.interval, score.noise_floor, score.noise_floor_95)]
        if score.score is not None and any(unknown) and not all(unknown):
            raise ValueError(f"{path} {what}: half of interval and floor of {name} is null. {remedy}")
    names = [record.model.name, record.model.model_type, record.model.tokenization]
    return ScoredRun(", ".join(filter(None, names)), record)


def _titles(runs: list[ScoredRun]) -> dict[str, str]:
    """Of all scores that any of the runs has, by their names; those of this package come first."""
    scored = dict.fromkeys(name for run in runs for name in run.scores)
    ours = [comparison.score_name for comparison in COMPARISONS]
    titles = {}
    for name in [*(name for name in ours if name in scored), *(name for name in scored if name not in ours)]:
        described = (run.comparison(name) for run in runs if name in run.scores)
        titles[name] = next((each.title for each in described if each is not None), name)
    return titles


def _markdown(runs: list[ScoredRun], titles: dict[str, str]) -> list[str]:
    heads = ["", "run", *map(escape, titles.values()), "pieces", "token errors", "beyond originals"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for number, run in enumerate(runs, 1):
        pieces = sorted({score.num_pieces for score in run.scores.values()})
        cells = [f"{number}", escape(run.label), *(_cell(run.scores.get(name)) for name in titles)]
        token_errors, novelty = run.record.token_errors, run.record.novelty
        rest = ["/".join(map(str, pieces)), _rate(token_errors and token_errors.token_error_rate)]
        lines.append(_row([*cells, *rest, _rate(novelty and novelty.share_beyond_originals)]))
    return [*lines, "", *_notes(), *_disagreements(runs)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(score: ScoreRecord | None) -> str:
    if score is None or score.score is None:
        return "–"
    if score.interval is None:
        return f"{score.score:.3f}"
    low, high = score.interval
    mark = " ≈" if below_floor(to_json(score)) else ""
    return f"{score.score:.3f}{mark} [{low:.3f}, {high:.3f}], floor {score.noise_floor_95:.3f}"


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _notes() -> list[str]:
    return [
        "Scores are KL(original || generated) in nats, lower is better, with 95% intervals. ≈ marks a score that is",
        "not above its noise floor (95%): no difference from the originals can be told from chance. Token errors are",
        "a share of tokens; beyond originals is the share of continuations that copy longer runs from the training",
        "pieces than 95% of the originals do.",
    ]


def _disagreements(runs: list[ScoredRun]) -> list[str]:
    """A warning where the runs differ in what makes scores comparable."""
    different = [
        name
        for name, keys in MUST_AGREE.items()
        if len({json.dumps(_at(to_json(run.record.settings), keys), sort_keys=True) for run in runs}) > 1
    ]
    different += [f"what {name} compares" for name in map(escape, _unlike(runs))]
    if not different:
        return []
    return ["", f"**These runs differ in {', '.join(different)}: their scores cannot be compared as they stand.**"]


def _unlike(runs: list[ScoredRun]) -> Iterator[str]:
    """Names of scores that the runs compute with other functions."""
    for name in _titles(runs):
        described = [run.comparison(name) for run in runs if name in run.scores]
        if len({each and each.identity for each in described}) > 1:
            yield name


def _at(settings: dict, keys: tuple[str, ...]):
    for key in keys:
        settings = (settings or {}).get(key)
    return settings
