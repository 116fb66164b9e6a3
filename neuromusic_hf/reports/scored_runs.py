"""What of the scores of a run is read again, to put it beside others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..bundles import ModelIdentity
from ..disk import from_json, read_json
from ..metrics import COMPARISONS
from .run_scores import SCORES_NAME
from .shared_runs import SharedRuns


@dataclass(frozen=True)
class ModelFacts:
    """What of the model of `scores.json` is read again."""

    name: str
    revision: str | None = None
    files: str | None = None
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
    """What of token errors in `scores.json` is read again."""

    token_error_rate: float | None = None


@dataclass(frozen=True)
class NoveltyRecord:
    """What of novelty in `scores.json` is read again."""

    share_beyond_originals: float | None = None
    lengths_original: dict[str, int] = field(default_factory=dict)
    lengths_generated: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for run, count in [*self.lengths_original.items(), *self.lengths_generated.items()]:
            if not (run.isdecimal() and len(run) < 10) or count < 1:
                raise ValueError(f"{run!r}: {count} is no number of pieces by the length of their longest run")


@dataclass(frozen=True)
class CopyGuardRecord:
    """What of the copy guard in `scores.json` is read again."""

    max_run: int


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
    novelty: NoveltyRecord | None
    settings: SettingsRecord
    run: str | None = None
    copy_guard: CopyGuardRecord | None = None


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
    def identity(self) -> ModelIdentity:
        """Of its model."""
        model = self.record.model
        return ModelIdentity(model.name, model.revision or "", model.files)

    @property
    def scores(self) -> dict[str, ScoreRecord]:
        """By name."""
        return self.record.scores

    @property
    def shared_runs(self) -> SharedRuns:
        """How long the runs are that its pieces share with training pieces."""
        novelty, guard = self.record.novelty or NoveltyRecord(), self.record.copy_guard
        return SharedRuns(novelty.lengths_original, novelty.lengths_generated, guard and guard.max_run)

    def comparison(self, score_name: str) -> ComparisonRecord | None:
        """What a score of this run compares; versions that did not record it knew those of this package alone."""
        ours = {each.score_name: each.describe() for each in COMPARISONS}
        if score_name in self.record.settings.comparisons or score_name not in ours:
            return self.record.settings.comparisons.get(score_name)
        return from_json(ours[score_name], ComparisonRecord, score_name)


def read_scores(path: Path) -> ScoredRun:
    """
    Reads the scores of a run.

    Args:
        path (`Path`): `scores.json`, or the folder that holds it.

    Raises:
        `FileNotFoundError`: there is none.
        `ValueError`: it is another file.
    """
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
