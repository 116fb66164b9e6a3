"""The stages that join what the tasks found: families across all rows, and the split of each."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pyarrow as pa
from datasets import Dataset

from ..corpora.families import MELODY, Melodies, with_copies
from ..corpora.family_splits import splits_by_twins
from ..corpora.splits import SPLIT_NAMES, Member, assign_split, check_not_empty
from ..twins import Twin
from ..twins.finding import candidates_among, verified
from .configuration import Preparation
from .engine import PipelineStep
from .reading import SIZE
from .workplace import Workplace, read_array, write_array, write_json_whole

REFUSED = -1
UNCARVED: list[tuple[str, ...]] = [()]


class FindCandidates(PipelineStep):
    """
    Finds the pairs of rows that may be twins. One task does it, and lays hashes in the temporary folder meanwhile.

    Args:
        preparation ([`Preparation`]): which.
    """

    name, type = "find candidates", "neuromusic"

    def __init__(self, preparation: Preparation):
        super().__init__()
        self.preparation = preparation

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> None:
        """Writes the pairs."""
        work = self.preparation.work
        pairs = candidates_among(_melodies(work))
        self.stat_update("pairs", value=len(pairs))
        write_array(work.pairs, pairs)


class AlignMelodies(PipelineStep):
    """
    Finds out which candidates are twins, a stretch of them in each task.

    Args:
        preparation ([`Preparation`]): which.
    """

    name, type = "align melodies", "neuromusic"

    def __init__(self, preparation: Preparation):
        super().__init__()
        self.preparation = preparation

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> None:
        """Writes the twins."""
        work = self.preparation.work
        pairs = read_array(work.pairs)
        begin, end = (len(pairs) * task // world_size for task in (rank, rank + 1))
        found = verified(_melodies(work), np.asarray(pairs[begin:end]))
        self.stat_update("twins", value=len(found))
        write_json_whole(work.twins(rank), [dataclasses.astuple(twin) for twin in found])


class DecideSplits(PipelineStep):
    """
    Joins twins to families, gives each row its split, and plans the files of the corpus. One task does it.

    Args:
        preparation ([`Preparation`]): which.
    """

    name, type = "decide splits", "neuromusic"

    def __init__(self, preparation: Preparation):
        super().__init__()
        self.preparation = preparation

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> None:
        """
        Writes the split of each row, and the plan.

        Raises:
            `ValueError`: a split would be empty.
        """
        work, shares = self.preparation.work, self.preparation.shares
        facts = facts_of(work)
        columns = facts.select_columns(["content_hash", "official_split", "refused_reason", SIZE])
        hashes, official, reasons, sizes = columns.with_format("arrow")[:].columns
        decided = splits_by_twins([facts], UNCARVED, shares, self._twins(facts)) if self._has_families else {}
        rows = zip(hashes.to_pylist(), official.to_pylist(), reasons.to_pylist(), strict=True)
        number = {name: index for index, name in enumerate(SPLIT_NAMES)}
        splits = np.fromiter(
            (
                REFUSED if reason else number[assign_split(Member(content_hash, split), shares, decided)]
                for content_hash, split, reason in rows
            ),
            np.int8,
            len(facts),
        )
        counts = {name: int((splits == index).sum()) for name, index in number.items()}
        check_not_empty(counts, self.preparation.corpus.name)
        for name, count in counts.items():
            self.stat_update(name, value=count)
        write_array(work.splits, splits)
        plan = {name: self._begins(np.flatnonzero(splits == index), sizes) for name, index in number.items()}
        write_json_whole(work.plan, plan)

    @property
    def _has_families(self) -> bool:
        return self.preparation.has_families

    def _twins(self, facts: Dataset) -> list[Twin]:
        work = self.preparation.work
        tasks = (json.loads(work.twins(task).read_bytes()) for task in range(work.tasks))
        return with_copies([facts], [Twin(*values) for task in tasks for values in task])

    def _begins(self, rows: np.ndarray, sizes: np.ndarray) -> list[int]:
        """The row with which each file of a split begins, of which none holds more bytes than it may."""
        before = np.cumsum(sizes.to_numpy()[rows]) - sizes.to_numpy()[rows]
        files = before // self.preparation.max_shard_bytes
        return rows[np.unique(files, return_index=True)[1]].tolist()


def facts_of(work: Workplace) -> Dataset:
    """The facts of all rows, in order, where they lie."""
    files = (pa.memory_map(str(work.facts(task))) for task in range(work.tasks))
    table = pa.concat_tables([pa.ipc.open_stream(file).read_all() for file in files])
    return Dataset(table, fingerprint="facts")  # without one, datasets would hash all that lies in the files


def _melodies(work: Workplace) -> Melodies:
    return Melodies([facts_of(work).select_columns([MELODY])])
