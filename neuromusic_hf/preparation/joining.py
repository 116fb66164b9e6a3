"""The stages that join what the tasks found: families across all rows, and the split of each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from datasets import Dataset

from ..corpora.families import MELODY, Melodies, with_copies
from ..corpora.family_splits import splits_by_twins
from ..corpora.splits import SPLIT_NAMES, Member, assign_split, check_not_empty
from ..twins import Twin
from ..twins.finding import candidates_among, verified
from .block import Block
from .identity import check_source
from .reading import SIZE
from .workplace import Workplace, read_array, write_array, write_json_whole

REFUSED = -1
UNCARVED: list[tuple[str, ...]] = [()]


class FindCandidates(Block):
    """
    Finds the pairs of rows that may be twins. One task does it, and lays hashes in the temporary folder meanwhile.

    Args:
        preparation ([`Preparation`]): which.
    """

    name = "find candidates"

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> None:
        """Writes the pairs."""
        work = self.preparation.work
        pairs = candidates_among(_melodies(work), detector=self.preparation.detector)
        self.stat_update("pairs", value=len(pairs))
        write_array(work.pairs, pairs)


class AlignMelodies(Block):
    """
    Finds out which candidates are twins, a stretch of them in each task.

    Args:
        preparation ([`Preparation`]): which.
    """

    name = "align melodies"

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> None:
        """Writes the twins."""
        work = self.preparation.work
        pairs = read_array(work.pairs)
        begin, end = (len(pairs) * task // world_size for task in (rank, rank + 1))
        found = verified(_melodies(work), np.asarray(pairs[begin:end]), self.preparation.detector)
        self.stat_update("twins", value=len(found))
        write_json_whole(work.twins(rank), [dataclasses.astuple(twin) for twin in found])


class DecideSplits(Block):
    """
    Joins twins to families, gives each row its split, and plans the files of the corpus. One task does it.

    Args:
        preparation ([`Preparation`]): which.
    """

    name = "decide splits"

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> None:
        """
        Writes the split of each row, and the plan.

        Raises:
            `ValueError`: a split would be empty.
            `RuntimeError`: the source has changed since the preparation began.
        """
        check_source(self.preparation)  # all of it has been read
        work, facts = self.preparation.work, facts_of(self.preparation.work)
        splits = np.fromiter(self._splits(facts), np.int8, len(facts))
        counts = {name: int((splits == index).sum()) for index, name in enumerate(SPLIT_NAMES)}
        check_not_empty(counts, self.preparation.corpus.name)
        for name, count in counts.items():
            self.stat_update(name, value=count)
        write_array(work.splits, splits)
        sizes, limit = facts.data.column(SIZE).to_numpy(), self.preparation.max_shard_bytes
        rows = {name: np.flatnonzero(splits == index) for index, name in enumerate(SPLIT_NAMES)}
        plan = {name: each[begins(sizes[each], limit)].tolist() for name, each in rows.items()}
        write_json_whole(work.plan, plan)

    def _splits(self, facts: Dataset) -> Iterator[int]:
        """The number of the split of each row, of which few are held at a time."""
        shares = self.preparation.shares
        has_families = self.preparation.has_families
        decided = splits_by_twins([facts], UNCARVED, shares, self._twins(facts)) if has_families else {}
        number = {name: index for index, name in enumerate(SPLIT_NAMES)}
        for batch in facts.data.table.select(["content_hash", "official_split", "refused_reason"]).to_batches():
            for content_hash, split, reason in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                member = Member(content_hash, split)
                yield REFUSED if reason else number[assign_split(member, shares, decided)]

    def _twins(self, facts: Dataset) -> list[Twin]:
        work = self.preparation.work
        tasks = (json.loads(work.twins(task).read_bytes()) for task in range(work.tasks))
        return with_copies([facts], [Twin(*values) for task in tasks for values in task])


def begins(sizes: np.ndarray, limit: int) -> list[int]:
    """
    Where each file begins, so that none holds more bytes than it may, but for a single row that has more.

    Args:
        sizes (`np.ndarray` of shape `(rows,)`): bytes of each.
        limit (`int`): bytes of a file.
    """
    before, found, row = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]), [], 0
    while row < len(sizes):
        found.append(row)
        row = max(row + 1, int(np.searchsorted(before, before[row] + limit, side="right")) - 1)
    return found


def facts_of(work: Workplace) -> Dataset:
    """The facts of all rows, in order, where they lie."""
    files = (pa.memory_map(str(work.facts(task))) for task in range(work.tasks))
    table = pa.concat_tables([pa.ipc.open_stream(file).read_all() for file in files])
    return Dataset(table, fingerprint="facts")  # without one, datasets would hash all that lies in the files


def _melodies(work: Workplace) -> Melodies:
    return Melodies([facts_of(work).select_columns([MELODY])])
