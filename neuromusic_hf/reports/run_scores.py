"""From a test run to its scores and its table of pieces."""

import hashlib
import math
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from datasets import Dataset
from tqdm import tqdm

from ..bundles import settle_splits
from ..bundles.files import SCORES_NAME
from ..copying import GuardCounts
from ..cores import usable_cores
from ..corpora import Corpus, CorpusSplits, load_corpus
from ..corpora.names import find_corpora
from ..corpora.provenance import splits_used
from ..disk import to_json, user_path, write_json
from ..metrics import (
    Comparison,
    HarmonyEmbedding,
    NoveltyScore,
    PieceDistances,
    all_comparisons,
    compare_pieces,
    gather_score,
    score_novelty,
)
from ..music.loading import load_score
from ..runs import FinishedRun, guarded_counts, tally_of
from .clean_test import without_twins
from .compared_pieces import compared_pieces
from .options import ScoringOptions
from .piece_table import make_piece_table
from .run_model import NotAvailable, RunModel, count_run_token_errors, load_run_model, model_facts

TABLE_STEM = "pieces"
RECORDED_PACKAGES = ("neuromusic_hf", "numpy", "symusic", "miditok", "music21", "transformers", "datasets")

Found = list[Mapping[str, PieceDistances]]


@dataclass(frozen=True)
class RunScores:
    """
    What a test run scores.

    Args:
        record (`dict`): scores, settings, versions and counts, as plain JSON values.
        table ([`pandas.DataFrame`]): a row for each piece.
        comparisons (`tuple[Comparison, ...]`): what was compared.
    """

    record: dict
    table: pd.DataFrame
    comparisons: tuple[Comparison, ...]

    def save(self, folder: str | Path):
        """Writes `scores.json`, `pieces.parquet` and `pieces.csv`; the folder is made if missing."""
        folder = user_path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / SCORES_NAME, self.record, ascii_only=False)
        self.table.to_parquet(folder / f"{TABLE_STEM}.parquet", index=False)
        self.table.to_csv(folder / f"{TABLE_STEM}.csv", index=False)


def score_run(
    run: FinishedRun,
    options: ScoringOptions | None = None,
    model: RunModel | None = None,
    training: Dataset | None = None,
) -> RunScores:
    """
    Scores a test run. Its files are read one piece at a time.

    Args:
        run ([`FinishedRun`]): from [`read_run`].
        options ([`ScoringOptions`], *optional*): `ScoringOptions()` if not given.
        model ([`RunModel`], *optional*): that continued; read from where the run says it is if not given.
        training ([`~datasets.Dataset`], *optional*):
            The training pieces that novelty is measured against, where they are at hand; with the columns `midi` and
            `content_hash`. Those of the corpus that the options name if not given.

    Returns:
        [`RunScores`]. In its record, what cannot be told is `None`, with the reason under `not_available`; pieces that
        were not continued, have a twin in train where `clean_test` leaves these out, or lack the feature that a score
        compares, are named by reason. Its table has its rows in the order of the run whatever is left out.

    Raises:
        `OSError`: a file, the embedding or the training corpus cannot be read.
        `ValueError`: there is no such training corpus or comparison, two comparisons have one name, or one gives a
            distance that is no finite number.
    """
    options = options or ScoringOptions()
    embedding = options.load_embedding()
    comparisons = all_comparisons(options.comparisons, embedding)
    available = _Available()
    model = model or available.get("model", load_run_model, run, options.trust_remote_code, options.token)
    corpus = None if training is not None else _training_corpus(options, model)
    training = training if corpus is None else corpus["train"]
    order = [record.index for record in [*run.records, *run.left_out]]
    if options.clean_test:
        run = without_twins(run, training, options.num_proc)
    found = _compare(run, comparisons, options.num_proc or usable_cores())
    novelty = available.get("novelty", _novelty, run, found, training)
    table = make_piece_table(run, found, comparisons, novelty, order)
    record = {
        "run": str(run.folder),
        "model": {**to_json(run.model), **model_facts(model)},
        "pieces": {"continued": len(run.records), "left_out": _left_out(run)},
        "changed_by_tokenizer": available.get("changed_by_tokenizer", _changed, run),
        "scores": {each.score_name: _score(run, found, each, options) for each in comparisons},
        "token_errors": available.get("token_errors", count_run_token_errors, run, model),
        "novelty": novelty and novelty.to_dict(),
        "copy_guard": _guarded(run),
        "mean_entropy_nats": _plain_mean(table["entropy_nats"]),
        "not_available": available.reasons,
        "settings": _settings(run, comparisons, embedding, options, corpus, training),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in RECORDED_PACKAGES}},
    }
    return RunScores(record, table, comparisons)


class _Available:
    """What can be told of a run; where a function raises [`NotAvailable`], its reason."""

    def __init__(self):
        self.reasons: dict[str, str] = {}

    def get(self, name: str, function: Callable, *arguments) -> Any:
        """What the function returns, or `None`."""
        try:
            return function(*arguments)
        except NotAvailable as error:
            self.reasons[name] = str(error)
            return None


def _training_corpus(options: ScoringOptions, model: RunModel | None) -> Corpus | None:
    if options.train_corpus is None:
        return None
    asked = CorpusSplits.asked(options.split_version, options.split_shares)
    splits = settle_splits(
        options.train_corpus,
        asked,
        model and model.splits,
        options.data_dir,
        revision=options.revision,
        token=options.token,
    )
    from_hub = any(corpus.is_from_hub for corpus in find_corpora(options.train_corpus, options.data_dir))
    return load_corpus(
        options.train_corpus,
        options.data_dir,
        split_shares=splits.shares,
        split_version=splits.version,
        num_proc=options.num_proc,
        revision=options.revision,
        token=options.token if from_hub else None,
    )


def _compare(run: FinishedRun, comparisons: tuple[Comparison, ...], num_proc: int) -> Found:
    pieces = compared_pieces(run)
    workers = max(1, min(num_proc, len(pieces)))
    return list(tqdm(compare_pieces(pieces, comparisons, workers), desc="Scoring", unit="piece", total=len(pieces)))


def _score(run: FinishedRun, found: Found, comparison: Comparison, options: ScoringOptions) -> dict:
    return gather_score(run.labels, (each[comparison.name] for each in found), options.settings).to_dict()


def _novelty(run: FinishedRun, found: Found, training: Dataset | None) -> NoveltyScore:
    if training is None:
        raise NotAvailable("no training corpus was named (--train_corpus)")
    readable, unreadable = [], {}
    for piece, distances in zip(compared_pieces(run), found, strict=True):
        first = next(iter(distances.values()))
        if first.readable:
            readable.append(piece)
        else:
            unreadable.setdefault(first.reason, []).append(piece.name)
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


def _guarded(run: FinishedRun) -> dict | None:
    """What the copy guard of a run let be shared, and what it did; `None` where there was none."""
    guard, counts = run.settings.continuation and run.settings.continuation.copy_guard, guarded_counts(run.records)
    return (
        None if guard is None else {"max_run": guard.max_run, "corpus": guard.corpus} | asdict(counts or GuardCounts())
    )


def _plain_mean(values: pd.Series) -> float | None:
    """For JSON, which has no NaN."""
    mean = float(values.mean())
    return None if math.isnan(mean) else mean


def _settings(
    run: FinishedRun,
    comparisons: tuple[Comparison, ...],
    embedding: HarmonyEmbedding,
    options: ScoringOptions,
    corpus: Corpus | None,
    training: Dataset | None,
) -> dict:
    notes = None if training is None else "\n".join(training["content_hash"])
    splits = None if corpus is None else splits_used(corpus.provenance)
    return {
        "run": to_json(run.settings),
        "scores": asdict(options.settings),
        "comparisons": {comparison.score_name: comparison.describe() for comparison in comparisons},
        "harmony_embedding": {
            "words": len(embedding.words),
            "sha256": embedding.sha256,
            "training": embedding.training,
        },
        "train_corpus": options.train_corpus,
        "train_notes_sha256": notes and hashlib.sha256(notes.encode()).hexdigest(),
        "split_version": splits and splits.version,
        "split_shares": splits and splits.shares and list(splits.shares),
        "clean_test": options.clean_test,
    }
