"""What a call asks of the guard against copies, and the training pieces that it means."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedModel

from ..bundles import settle_splits, splits_of_model
from ..bundles.trained_splits import TrainedSplits
from ..copying import CopyIndex
from ..corpora import CorpusSplits, load_corpus
from ..corpora.names import find_corpora
from ..models.origin import found_with

MAX_RUN = 12
SHORTEST_RUN = 2
TRAIN = "train"


@dataclass(frozen=True)
class GuardSettings:
    """
    How much may be copied.

    Args:
        copy_guard (`str`, `Path`, [`Corpus`], `DatasetDict`, [`~datasets.Dataset`] or [`CopyIndex`], *optional*):
            The training pieces: the train split of a corpus, by its name as of [`load_corpus`], split as the model was
            trained with; all rows of a `Dataset`; or an index of them.
        max_run (`int`, *optional*, defaults to 12):
            Notes that a continuation may share with one of them in a row, as novelty counts them.

    Raises:
        `ValueError`: `max_run` is no whole number from 2 on, or is given alone.
    """

    copy_guard: Any = None
    max_run: int | None = None

    def __post_init__(self):
        run = self.max_run
        if run is None:
            return
        if self.copy_guard is None:
            raise ValueError(f"max_run={run} goes with copy_guard: name the training corpus, or leave max_run out.")
        if not isinstance(run, numbers.Integral) or isinstance(run, bool) or run < SHORTEST_RUN:
            raise ValueError(f"max_run={run!r} must be a whole number of notes, {SHORTEST_RUN} or more.")

    def __bool__(self) -> bool:
        return self.copy_guard is not None

    @property
    def longest_run(self) -> int:
        """`max_run`, or its default."""
        return MAX_RUN if self.max_run is None else int(self.max_run)


def guard_index(corpus: Any, model: PreTrainedModel | None = None, name: str | None = None) -> CopyIndex:
    """
    Indexes the training pieces that `copy_guard` means.

    Args:
        corpus: as of [`GuardSettings`].
        model ([`~transformers.PreTrainedModel`], *optional*): where it was trained with splits, a name means these.
        name (`str`, *optional*): what the corpus is called, where it is not given by name.

    Returns:
        [`CopyIndex`]: `corpus` itself, if it is one.

    Raises:
        `ValueError`: there is no such corpus, no train split, or no note in it.
    """
    if isinstance(corpus, CopyIndex):
        return corpus
    if isinstance(corpus, str | Path):
        name = os.fspath(corpus)
        where = {} if model is None else found_with(model)
        trained = splits_of_model(model.name_or_path, **where) if model is not None and model.name_or_path else None
        corpus = load_training(name, trained, token=where.get("token"))
    rows = corpus[TRAIN] if isinstance(corpus, Mapping) and TRAIN in corpus else corpus
    if not isinstance(rows, Dataset) or "midi" not in rows.column_names:
        raise ValueError(
            f"copy_guard={type(corpus).__name__} holds no training pieces: give the name of a corpus, a Corpus or "
            "DatasetDict with train, a Dataset with a column midi, or a CopyIndex."
        )
    return CopyIndex.of(rows["midi"], name)


def load_training(
    name: str,
    trained: TrainedSplits | None = None,
    *,
    data_dir: str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    num_proc: int | None = None,
) -> Dataset:
    """
    The train split of a corpus, split as a model was trained with.

    Args:
        name (`str`): as of [`load_corpus`].
        trained ([`TrainedSplits`], *optional*): of the model, from [`splits_of_model`].
        data_dir (`str`, *optional*): as of [`load_corpus`].
        revision (`str`, *optional*): of a corpus on the Hub.
        token (`str` or `bool`, *optional*): for the Hub.
        num_proc (`int`, *optional*): as of [`load_corpus`].

    Raises:
        `ValueError`: as [`load_corpus`] and [`settle_splits`].
    """
    splits = settle_splits(name, CorpusSplits(), trained, data_dir, revision=revision, token=token)
    return load_corpus(
        name,
        data_dir,
        split_shares=splits.shares,
        split_version=splits.version,
        revision=revision,
        token=token if any(corpus.is_from_hub for corpus in find_corpora(name, data_dir)) else None,
        num_proc=num_proc,
    )[TRAIN]
