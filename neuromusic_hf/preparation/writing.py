"""The stage that writes the corpus, in files of its splits."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features

from ..corpora.builder import HELPER_FEATURES
from ..corpora.corpus import name_files
from ..corpora.splits import SPLIT_NAMES
from ..disk import whole_file
from .block import Block
from .reading import COMPRESSION, GROUP_ROWS, row_features
from .workplace import DATA, Workplace, read_array


@dataclass(frozen=True)
class Shard:
    """
    A file of the corpus.

    Args:
        split (`str`): of its rows.
        number (`int`): of the file among those of its split.
        count (`int`): of these.
        begin (`int`): the first row, of all rows of the corpus, that may be in it.
        end (`int`): behind the last one.
    """

    split: str
    number: int
    count: int
    begin: int
    end: int

    @property
    def file(self) -> str:
        """As `datasets` names its files."""
        return f"{self.split}-{self.number:05d}-of-{self.count:05d}.parquet"


class WriteCorpus(Block):
    """
    Writes files of the corpus: the accepted rows of each split, in order. Each task takes its share of the files.

    Args:
        preparation ([`Preparation`]): which.
    """

    name = "write corpus"

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> None:
        """Writes them, but for those that are there."""
        work, features = self.preparation.work, row_features(self.preparation.builder())
        schema = Features({name: each for name, each in features.items() if name not in HELPER_FEATURES}).arrow_schema
        counts, splits = json.loads(work.listing.read_bytes())["pieces"], read_array(work.splits)
        for shard in shards_of(work)[rank::world_size]:
            path = work.made / DATA / shard.file
            if not path.exists():
                write_shard(path, schema, row_groups(_chosen(work, shard, counts, splits, schema.names)))
            self.stat_update(shard.split)


def shards_of(work: Workplace) -> list[Shard]:
    """All files that are planned."""
    plan, total = json.loads(work.plan.read_bytes()), sum(json.loads(work.listing.read_bytes())["pieces"])
    return [
        Shard(split, number, len(plan[split]), begin, end)
        for split in SPLIT_NAMES
        for number, (begin, end) in enumerate(itertools.pairwise([*plan[split], total]))
    ]


def _chosen(
    work: Workplace, shard: Shard, counts: list[int], splits: np.ndarray, columns: list[str]
) -> Iterator[pa.Table]:
    """The rows of a file of the corpus, a row group of those that the tasks have written at a time."""
    first = 0
    for task, count in enumerate(counts):
        places = np.arange(first, first + count)
        wanted = (places >= shard.begin) & (places < shard.end)
        wanted[wanted] = splits[places[wanted]] == SPLIT_NAMES.index(shard.split)
        first += count
        if wanted.any():
            parts = np.split(wanted, range(GROUP_ROWS, count, GROUP_ROWS))
            with pq.ParquetFile(work.rows(task)) as rows:
                for number, part in enumerate(parts):
                    if part.any():
                        yield rows.read_row_group(number, columns).filter(pa.array(part))


def row_groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows, so many in each table that a row group holds."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        while sum(map(len, held)) >= GROUP_ROWS:
            joined = pa.concat_tables(held)
            yield joined.slice(0, GROUP_ROWS)
            held = [joined.slice(GROUP_ROWS)]
    if sum(map(len, held)):
        yield pa.concat_tables(held)


def write_shard(path: Path, schema: pa.Schema, groups: Iterator[pa.Table]) -> None:
    """Writes a file of the corpus, or of its tokens, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial, pq.ParquetWriter(partial, schema, compression=COMPRESSION) as writer:
        for group in groups:
            if "midi" in group.column_names:
                group = name_files(group)
            writer.write_table(group.select(schema.names).cast(schema).combine_chunks(), GROUP_ROWS)
