"""What of a report goes with the bundle whose model it judges: its scores, and pieces to see and to hear."""

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..bundles import ModelIdentity, files_hash, weights_hash
from ..bundles.files import EXAMPLES_NAME
from ..disk import read_json, remove_folder, staged_folder, user_path, write_file, write_json
from ..runs import FinishedRun, RunSettings, piece_label, read_run
from .run_scores import SCORES_NAME, TABLE_STEM
from .shareable import PublicNames
from .showcase import choose_exhibits, make_exhibit

logger = logging.getLogger(__name__)

EXAMPLE_SECONDS = 45
"""Of sound: 2 MB."""

SCORE_AGAIN = "Score the run again, with scripts/score_continuations.py."


@dataclass(frozen=True)
class _Settings:
    run: RunSettings
    train_corpus: str | None = None


@dataclass(frozen=True)
class _Scores:
    settings: _Settings


@dataclass(frozen=True)
class FinishedReport:
    """
    A report on disk.

    Args:
        folder (`Path`): where its files are.
        record (`dict`): what `scores.json` holds.
        table ([`pandas.DataFrame`]): of the pieces.
        names ([`PublicNames`]): of the paths in it.
    """

    folder: Path
    record: dict[str, Any]
    table: pd.DataFrame
    names: PublicNames

    @property
    def public_record(self) -> dict[str, Any]:
        """The record without paths of this machine."""
        return self.names.replace_in(self.record)


def read_report(folder: str | Path, run: FinishedRun) -> FinishedReport:
    """
    Reads the report of a run.

    Args:
        folder (`str` or `Path`): that `scripts/score_continuations.py` wrote.
        run ([`FinishedRun`]): that is reported.

    Raises:
        `FileNotFoundError`: there is no report.
        `ValueError`: it is damaged, or reports another run.
    """
    folder = user_path(folder)
    path, table = folder / SCORES_NAME, folder / f"{TABLE_STEM}.parquet"
    for needed in (path, table):
        if not needed.is_file():
            raise FileNotFoundError(f"There is no {needed}: give the folder of a report. {SCORE_AGAIN}")
    settings = read_json(path, _Scores, "does not hold the scores of a run", SCORE_AGAIN).settings
    if settings.run != run.settings:
        raise ValueError(f"{path} holds the scores of another run than {run.folder}. {SCORE_AGAIN}")
    record = json.loads(path.read_text(encoding="utf-8"))
    others = [record.get("run"), run.folder, settings.train_corpus, *_corpora_of_embedding(record)]
    names = PublicNames(run.settings, [str(each) for each in others if each])
    pieces = pd.read_parquet(table)
    if len(pieces) != len(run.records) + len(run.left_out):
        raise ValueError(f"{table} holds {len(pieces)} pieces, and not those of {run.folder}. {SCORE_AGAIN}")
    return FinishedReport(folder, record, pieces, names)


def add_report(bundle: str | Path, report: str | Path, continuations: str | Path) -> None:
    """
    Writes into a bundle what its report says, without a path of this machine.

    That is `scores.json`, and in `examples/` the best, the median and the worst continued piece as a piano roll, as
    MIDI and, where it can be rendered, as sound. What was there of another report goes.

    Args:
        bundle (`str` or `Path`): folder of the model that continued.
        report (`str` or `Path`): that `scripts/score_continuations.py` wrote.
        continuations (`str` or `Path`): the run that is reported.

    Raises:
        `FileNotFoundError`: there is no report, or no run.
        `ValueError`: they belong to another model, or not to each other, or are damaged.

    Example:
    ```py
    >>> from neuromusic_hf.reports import add_report
    >>> add_report("runs/quickstart/bundle", "runs/quickstart/report", "runs/quickstart/continuations")
    ```
    """
    bundle, run = user_path(bundle), read_run(continuations)
    found = read_report(report, run)
    _check_model(bundle, run)
    home, examples = bundle.resolve(), bundle / EXAMPLES_NAME
    beside = home.with_name(f"_{home.name}.{os.getpid()}.partial")  # `hf upload` pushes all that is in a bundle
    with staged_folder(beside, bundle) as staging:
        (made := staging / EXAMPLES_NAME).mkdir()
        shown = {
            name: _write_example(found, run, place, number, made / name) for name, place, number in _chosen(found)
        }
        write_json(staging / SCORES_NAME, found.public_record | {EXAMPLES_NAME: shown}, ascii_only=False)
        remove_folder(examples)
        if shown:
            os.replace(made, examples)
        os.replace(staging / SCORES_NAME, bundle / SCORES_NAME)


def _check_model(bundle: Path, run: FinishedRun) -> None:
    model = run.model
    if not model.is_of_folder:
        raise ValueError(
            f"{run.folder} was continued by {model.name} of the Hub, and nobody knows whether {bundle} is that model: "
            "continue with the folder, and score that."
        )
    here = ModelIdentity(str(bundle), weights_hash(bundle), model.files and files_hash(bundle))
    if (here.revision, here.files) != (model.revision, model.files):
        raise ValueError(
            f"{run.folder} was continued by another model than {bundle} holds now: continue with it, and score that."
        )


def _chosen(report: FinishedReport) -> list[tuple[str, str, int]]:
    """Name of the files, place and row number of the pieces to show."""
    return [(place.partition(",")[0], place, number) for place, number in choose_exhibits(report.table)]


def _write_example(report: FinishedReport, run: FinishedRun, place: str, number: int, stem: Path) -> dict[str, Any]:
    """Writes the files of a piece, and tells what it is."""
    record = run.records[number]
    exhibit = make_exhibit(run, report.table, place, number, EXAMPLE_SECONDS)
    contents = {
        ".png": exhibit.piece.picture,
        ".wav": exhibit.piece.sound and exhibit.piece.sound.wav,
        ".mid": None if record.files.full is None else (run.folder / record.files.full).read_bytes(),
    }
    if exhibit.piece.sound is None:
        logger.warning("%s has no sound among the examples: %s", record.label, exhibit.piece.silence)
    for suffix, content in contents.items():
        if content is not None:
            write_file(stem.with_suffix(suffix), content)
    return {
        "piece": report.names.replace(piece_label(record.index, record.name)),
        "place": place,
        "continuation_at_seconds": exhibit.piece.sound and round(exhibit.piece.sound.boundary, 1),
    }


def _corpora_of_embedding(record: dict[str, Any]) -> list[str]:
    """What the harmony embedding says it was trained on."""
    said = record.get("settings", {}).get("harmony_embedding")
    for key in ("training", "source", "corpus"):
        said = said.get(key) if isinstance(said, dict) else None
    return [said] if isinstance(said, str) else []
