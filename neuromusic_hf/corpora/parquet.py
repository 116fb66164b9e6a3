"""Parquet files of anyone as datasets: columns as they are stored, and no more of them than their files can hold."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features
from datasets.builder import Key
from datasets.features.features import generate_from_arrow_type
from datasets.fingerprint import Hasher
from datasets.table import table_cast
from huggingface_hub import HfFileSystem

from .cache import CachedBuilder
from .code_identity import code_of_rooms

MOST_TIMES_UNPACKED = 500
"""Bytes of rows that one byte of a file may hold; MIDI files and words take up to about 20."""
FREE_BYTES = 64 << 20
"""What any file may hold unpacked, however small it is."""
BATCH_BYTES = 1 << 30
MOST_BATCH_ROWS = 1024


@dataclass
class ParquetFilesConfig(datasets.BuilderConfig):
    """
    What is read.

    Args:
        files (`dict[str, list[str]]`): paths or addresses (`hf://`) by split; one may stand there several times.
        groups (`dict[str, list]`, *optional*): of each of these, the row groups that are read; all if not given.
        identity (`str`): changes when the content does.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    groups: dict[str, list[tuple[int, ...] | None]] | None = None
    identity: str = ""


class ParquetFiles(CachedBuilder, datasets.ArrowBasedBuilder):
    """
    Reads Parquet files, all of which have the columns of the first.

    Types are those that are stored: what a file says of them beside (images and sounds to decode, names of classes) is
    not read.
    """

    BUILDER_CONFIG_CLASS = ParquetFilesConfig
    VERSION = datasets.Version("1.0.0")

    def __init__(self, cache_dir: str | None = None, **kwargs: Any):
        super().__init__(cache_dir, hash=Hasher.hash(code_of_rooms("corpora")), **kwargs)

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo()

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        files = self.config.files
        first = next(iter(files.values()))[0]
        with opened(first, self.token) as (parquet, _):
            self.info.features = _plain_features(parquet.schema_arrow, first)
        groups = self.config.groups or {split: [None] * len(paths) for split, paths in files.items()}
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"files": paths, "groups": groups[split]})
            for split, paths in files.items()
        ]

    def _generate_tables(
        self, files: list[str], groups: list[tuple[int, ...] | None]
    ) -> Iterator[tuple[Key, pa.Table]]:
        schema = self.info.features.arrow_schema
        for number, (file, chosen) in enumerate(zip(files, groups, strict=True)):
            with opened(file, self.token) as (parquet, size):
                for index, table in enumerate(_tables(parquet, size, file, chosen)):
                    yield Key(number, index), _cast(table, schema, file)


@contextlib.contextmanager
def opened(file: str, token: str | bool | None = None) -> Iterator[tuple[pq.ParquetFile, int]]:
    """
    Opens a Parquet file that may be anyone's, and measures it.

    Args:
        file (`str`): its path, or its address on the Hub (`hf://`).
        token (`str` or `bool`, *optional*): for the Hub.

    Raises:
        `ValueError`: it is cut off, or no Parquet file, or it says that it holds more rows than bytes.
    """
    with HfFileSystem(token=token).open(file) if file.startswith("hf://") else open(file, "rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        try:
            parquet = pq.ParquetFile(stream)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"'{file}' is not whole Parquet, copy or save it again: {error}") from error
        with parquet:
            if parquet.metadata.num_rows > size:
                raise ValueError(f"'{file}' says that it holds {parquet.metadata.num_rows} rows in {size} bytes.")
            yield parquet, size


def _tables(
    parquet: pq.ParquetFile, size: int, file: str, chosen: tuple[int, ...] | None = None
) -> Iterator[pa.Table]:
    """
    The rows of the chosen row groups, or of all, a few at a time.

    Raises:
        `ValueError`: the file is damaged, or its rows hold many times what it does.
    """
    room = FREE_BYTES + MOST_TIMES_UNPACKED * size
    groups = range(parquet.num_row_groups) if chosen is None else chosen
    largest = max((parquet.metadata.row_group(group).total_byte_size for group in groups), default=0)
    too_much = f"'{file}' unpacks to more than {MOST_TIMES_UNPACKED} times its size."
    if largest > room:
        raise ValueError(too_much)
    try:
        at_once = min(MOST_BATCH_ROWS, max(1, BATCH_BYTES // max(1, largest)))
        for batch in parquet.iter_batches(at_once, row_groups=list(groups)):
            batch.validate(full=True)
            table = pa.Table.from_batches([batch])
            room -= table.nbytes
            if room < 0:
                raise ValueError(too_much)
            yield table
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"'{file}' is damaged: {error}") from error


def _plain_features(schema: pa.Schema, file: str) -> Features:
    """
    The types of the columns as they are stored.

    Raises:
        `ValueError`: two columns have one name, or `datasets` has no such type.
    """
    if len(set(schema.names)) < len(schema.names):
        raise ValueError(f"'{file}' has columns of the same name: {schema.names}.")
    features = Features()
    for column in schema:
        try:
            features[column.name] = generate_from_arrow_type(column.type)
        except (ValueError, NotImplementedError, TypeError) as error:
            raise ValueError(f"'{file}': column '{column.name}' is of a type that is not read: {error}") from error
    return features


def _cast(table: pa.Table, schema: pa.Schema, file: str) -> pa.Table:
    try:
        return table_cast(table.replace_schema_metadata(), schema)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise ValueError(f"'{file}' has other columns than the first file, or of other types: {error}") from error
