"""Training runs side by side, from what each recorded of itself: how validation went, and a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..bundles import BUNDLE_NAME
from ..bundles.files import RUN_NAME
from ..disk import check_output_folder, read_json, user_path, write_file, write_whole
from ..hub import markdown
from .templates import png
from .training_board import plot_board

PICTURE_NAME = "board.png"
TABLE_NAME = "board.md"
HEADS = ("run", "model", "tokenizer", "ids", "parameters", "steps", "best nats per note", "at step", "last", "code")
VALIDATION, MUSIC = "validation", "music"


@dataclass(frozen=True)
class Evaluation:
    """Nats per note after an optimizer step."""

    step: int
    value: float


@dataclass(frozen=True)
class CourseRecord:
    """What of the course of `run.json` is read again."""

    nats_per_note: list[Evaluation]


@dataclass(frozen=True)
class VocabularyRecord:
    """What of the vocabulary of `run.json` is read again."""

    tokenization: str
    ids: int


@dataclass(frozen=True)
class CodeRecord:
    """What of the code of `run.json` is read again."""

    revision: str | None = None
    changed: bool | None = None


@dataclass(frozen=True)
class TrainingRecord:
    """What of `run.json` is read again. Versions before the code was recorded say nothing of it."""

    model: str
    parameters: int
    vocabulary: VocabularyRecord
    optimizer_steps: int
    course: CourseRecord | None
    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    code: CodeRecord = field(default_factory=CodeRecord)


@dataclass(frozen=True)
class Training:
    """
    A finished training run.

    Args:
        name (`str`): of its folder.
        record ([`TrainingRecord`]): its `run.json`.
    """

    name: str
    record: TrainingRecord

    @property
    def model(self) -> str:
        """Class of its model, without what all of them end in."""
        return self.record.model.removesuffix("ForCausalLM").removesuffix("LMHeadModel")

    @property
    def tokenizer(self) -> str:
        """Class of its tokenizer."""
        return self.record.vocabulary.tokenization.rpartition(".")[2]

    @property
    def evaluations(self) -> list[Evaluation]:
        """In order; at least one."""
        return [] if self.record.course is None else self.record.course.nats_per_note

    @property
    def best(self) -> Evaluation:
        """The lowest, and of these the first."""
        return min(self.evaluations, key=lambda each: each.value)

    @property
    def music(self) -> str | None:
        """Fingerprint of what it was validated on, whatever the tokenizer; of older versions none is known."""
        return self.record.splits.get(VALIDATION, {}).get(MUSIC)


def compare_trainings(folders: Sequence[str | Path], output: str | Path) -> Path:
    """
    Writes `board.png` and `board.md`: how validation went in several training runs, and what each is.

    Args:
        folders (sequence of `str` or `Path`): of training runs that have ended, or of their bundles.
        output (`str` or `Path`): folder to write to; made if missing.

    Returns:
        `Path`: of the table.

    Raises:
        `FileNotFoundError`: a folder holds no run that has ended.
        `ValueError`: a record is damaged, or tells of no evaluation; or there is no run.
    """
    if not folders:
        raise ValueError("There is no run to compare: give folders of training runs.")
    trainings = sorted(_named([read_training(folder) for folder in folders]), key=lambda each: each.best.value)
    output = user_path(output)
    check_output_folder(output)
    rows = [row_of(training) for training in trainings]
    warning = differences(trainings)
    write_file(output / PICTURE_NAME, png(plot_board(trainings, HEADS, rows)))
    lines = [markdown.table(HEADS, [list(map(markdown.escape, row)) for row in rows]), "", NOTE, *warning]
    write_whole(output / TABLE_NAME, "\n".join(lines) + "\n")
    return output / TABLE_NAME


NOTE = "Nats per note on validation, lower is better; they compare where runs are validated on the same music."


def read_training(folder: str | Path) -> Training:
    """Reads the record of a run. Raises as [`compare_trainings`]."""
    folder = user_path(folder)
    bundle = folder if folder.name == BUNDLE_NAME or (folder / RUN_NAME).is_file() else folder / BUNDLE_NAME
    path = bundle / RUN_NAME
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}: {folder} is no training run, or one that has not ended.")
    what, remedy = "is not the record of a training run", "Give the folder of a run of scripts/train.py."
    training = Training(_name(folder), read_json(path, TrainingRecord, what, remedy))
    if not training.evaluations:
        raise ValueError(f"{path} tells of no evaluation on validation: give runs with eval_strategy steps or epoch.")
    return training


def _name(folder: Path) -> str:
    folder = folder.resolve()
    return folder.parent.name if folder.name == BUNDLE_NAME else folder.name


def _named(trainings: Sequence[Training]) -> list[Training]:
    """Numbered where several have one name."""
    names = [training.name for training in trainings]
    if len(set(names)) == len(names):
        return list(trainings)
    return [Training(f"{number}. {each.name}", each.record) for number, each in enumerate(trainings, 1)]


def row_of(training: Training) -> list[str]:
    """What the table says of a run, under [`HEADS`]."""
    record, best = training.record, training.best
    code = (record.code.revision or "")[:8] + ("+" if record.code.changed else "")
    return [
        training.name,
        training.model,
        training.tokenizer,
        f"{record.vocabulary.ids:,}",
        f"{record.parameters:,}",
        f"{record.optimizer_steps:,}",
        f"{best.value:.3f}",
        f"{best.step:,}",
        f"{training.evaluations[-1].value:.3f}",
        code or "–",
    ]


def differences(trainings: Sequence[Training]) -> list[str]:
    """A warning where runs were not validated on the same music."""
    groups: dict[str | None, list[str]] = {}
    for training in trainings:
        groups.setdefault(training.music, []).append(training.name)
    if len(groups) == 1:
        return []
    told = "; ".join(", ".join(map(markdown.escape, names)) for names in groups.values())
    return ["", f"**Not all were validated on the same music, or it is not known: {told}.**"]
