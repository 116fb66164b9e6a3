"""From a test run to its scores and its table of pieces."""

import hashlib
import json
import math
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from datasets import Dataset
from tqdm import tqdm

from ..corpora import load_corpus
from ..corpora.splits import check_shares
from ..disk import to_json, user_path
from ..metrics import (
    HarmonyEmbedding,
    NoveltyScore,
    PieceDistances,
    ScoreSettings,
    all_measures,
    gather_score,
    load_harmony_embedding,
    measure_pieces,
    score_novelty,
)
from ..music.loading import load_score
from ..ranges import PROCESSES, check_ranges
from ..runs import FinishedRun, tally_of
from .compared_pieces import compared_pieces
from .piece_table import make_piece_table
from .run_model import NotAvailable, RunModel, count_run_token_errors, describe_model, load_run_model

SCORES_NAME = "scores.json"
TABLE_STEM = "pieces"
RECORDED_PACKAGES = ("neuromusic_hf", "numpy", "symusic", "miditok", "music21", "transformers", "datasets")

Found = list[Mapping[str, PieceDistances]]


@dataclass(frozen=True)
class ScoringOptions:
    """
    How a run is scored.

    Args:
        harmony_embedding ([`HarmonyEmbedding`], `str` or `Path`, *optional*):
            The embedding, its folder or Hub repository; the one that comes with the package if not given.
        train_corpus (`str`, *optional*): corpus whose training split novelty is measured against.
        data_dir (`str`, *optional*): where that corpus lies, if it is here already.
        split_shares (sequence of `float`, *optional*):
            Of train, validation and test, as the model was trained with; those of [`load_corpus`] if not given.
        num_proc (`int`, *optional*): processes that measure pieces; as many as there are cores if not given.
        settings ([`ScoreSettings`], *optional*): of bins, intervals and floors.

    Raises:
        `ValueError`: `data_dir` or `split_shares` without a `train_corpus`, shares that do not add up to 1, or
            `num_proc` below 1.
    """

    harmony_embedding: HarmonyEmbedding | str | Path | None = None
    train_corpus: str | None = None
    data_dir: str | None = None
    split_shares: Sequence[float] | None = None
    num_proc: int | None = None
    settings: ScoreSettings = field(default_factory=ScoreSettings)

    def __post_init__(self):
        check_ranges(self, {"num_proc": PROCESSES})
        if self.split_shares is not None:
            check_shares(self.split_shares)
        given = [name for name in ("data_dir", "split_shares") if getattr(self, name) is not None]
        if given and self.train_corpus is None:
            raise ValueError(f"{given[0]} belongs to the training corpus: name that too, with train_corpus.")


@dataclass(frozen=True)
class RunScores:
    """
    What a test run scores.

    Args:
        record (`dict`): scores, settings, versions and counts, as plain JSON values.
        table ([`pandas.DataFrame`]): a row for each piece.
    """

    record: dict
    table: pd.DataFrame

    def save(self, folder: str | Path):
        """Writes `scores.json`, `pieces.parquet` and `pieces.csv`; the folder is made if missing."""
        folder = user_path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.record, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / SCORES_NAME).write_text(text + "\n", encoding="utf-8")
        self.table.to_parquet(folder / f"{TABLE_STEM}.parquet", index=False)
        self.table.to_csv(folder / f"{TABLE_STEM}.csv", index=False)


def score_run(run: FinishedRun, options: ScoringOptions | None = None, model: RunModel | None = None) -> RunScores:
    """
    Scores a test run. Its files are read one piece at a time.

    Args:
        run ([`FinishedRun`]): from [`read_run`].
        options ([`ScoringOptions`], *optional*): `ScoringOptions()` if not given.
        model ([`RunModel`], *optional*): that continued; read from where the run says it is if not given.

    Returns:
        [`RunScores`]. In its record, what cannot be told is `None`, with the reason under `not_available`; pieces that
        were not continued, or lack the feature that a score compares, are named by reason.

    Raises:
        `OSError`: a file, the embedding or the training corpus cannot be read.
        `ValueError`: there is no such training corpus.
    """
    options = options or ScoringOptions()
    embedding = load_harmony_embedding(options.harmony_embedding)
    training = _training_split(options)
    measures = all_measures(embedding)
    found = _measure(run, measures, options.num_proc or os.cpu_count())
    tell = _Teller()
    model = model or tell("model", load_run_model, run)
    novelty = tell("novelty", _novelty, run, found, training)
    table = make_piece_table(run, found, list(measures), novelty)
    record = {
        "run": str(run.folder),
        "model": {**to_json(run.model), **describe_model(model)},
        "pieces": {"continued": len(run.records), "left_out": _left_out(run)},
        "changed_by_tokenizer": tell("changed_by_tokenizer", _changed, run),
        "scores": {f"{name}_kl": _score(run, found, name, options) for name in measures},
        "token_errors": tell("token_errors", count_run_token_errors, run, model),
        "novelty": novelty and novelty.to_dict(),
        "mean_entropy_nats": _plain_mean(table["entropy_nats"]),
        "not_available": tell.reasons,
        "settings": _settings(run, embedding, options, training),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in RECORDED_PACKAGES}},
    }
    return RunScores(record, table)


class _Teller:
    """Calls functions; of one that raises [`NotAvailable`], keeps the reason."""

    def __init__(self):
        self.reasons = {}

    def __call__(self, name: str, function: Callable, *arguments) -> Any:
        try:
            return function(*arguments)
        except NotAvailable as error:
            self.reasons[name] = str(error)
            return None


def _training_split(options: ScoringOptions) -> Dataset | None:
    if options.train_corpus is None:
        return None
    shares, num_proc = options.split_shares, options.num_proc
    return load_corpus(options.train_corpus, options.data_dir, split_shares=shares, num_proc=num_proc)["train"]


def _measure(run: FinishedRun, measures: dict, num_proc: int) -> Found:
    pieces = compared_pieces(run)
    workers = max(1, min(num_proc, len(pieces)))
    return list(tqdm(measure_pieces(pieces, measures, workers), desc="Scoring", unit="piece", total=len(pieces)))


def _score(run: FinishedRun, found: Found, name: str, options: ScoringOptions) -> dict:
    return gather_score(run.labels, (each[name] for each in found), options.settings).to_dict()


def _novelty(run: FinishedRun, found: Found, training: Dataset | None) -> NoveltyScore:
    if training is None:
        raise NotAvailable("no training corpus was named (--train_corpus)")
    readable, unreadable = [], {}
    for piece, distances in zip(compared_pieces(run), found, strict=True):
        measured = next(iter(distances.values()))
        if measured.readable:
            readable.append(piece)
        else:
            unreadable.setdefault(measured.reason, []).append(piece.name)
    pieces = (row["midi"] for row in tqdm(training, desc="Comparing with training", unit="piece"))
    originals = (load_score(piece.original) for piece in readable)
    generated = (load_score(piece.generated) for piece in readable)
    names = [piece.name for piece in readable]
    score = score_novelty(pieces, originals, generated, names)
    runs = dict(zip(names, score.runs, strict=True))
    return replace(score, dropped={**unreadable, **score.dropped}, runs=tuple(map(runs.get, run.labels)))


def _left_out(run: FinishedRun) -> dict[str, list[str]]:
    names = {}
    for record in run.left_out:
        names.setdefault(record.reason, []).append(record.label)
    return names


def _changed(run: FinishedRun) -> dict:
    found = tally_of(run.records)
    if not found.pieces:
        raise NotAvailable("the run has recorded it of no piece")
    return found.to_dict()


def _plain_mean(values: pd.Series) -> float | None:
    """For JSON, which has no NaN."""
    mean = float(values.mean())
    return None if math.isnan(mean) else mean


def _settings(
    run: FinishedRun, embedding: HarmonyEmbedding, options: ScoringOptions, training: Dataset | None
) -> dict:
    notes = None if training is None else "\n".join(training["content_hash"])
    return {
        "run": to_json(run.settings),
        "scores": asdict(options.settings),
        "harmony_embedding": {
            "words": len(embedding.words),
            "sha256": embedding.sha256,
            "training": embedding.training,
        },
        "train_corpus": options.train_corpus,
        "train_notes_sha256": notes and hashlib.sha256(notes.encode()).hexdigest(),
        "split_shares": None if options.split_shares is None else list(options.split_shares),
    }
