"""The stages that read: what there is to read, in shares, and the rows that come of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features, Value

from ..corpora import MidiCorpusBuilder, Piece
from ..corpora.families import MELODY, melody_of_row
from ..corpora.family_splits import SPOOLED
from ..disk import to_json, whole_file
from ..twins.detectors import NEWEST
from .block import Block
from .identity import check_source
from .workplace import write_json_whole

GROUP_ROWS = 256
"""Of a row group of Parquet, which a reader holds at a time."""

COMPRESSION = "zstd"
SIZE = "size"
FACTS = Features({**SPOOLED, "refused_reason": Value("string"), SIZE: Value("int64")})
"""Columns of what families and splits are made of; `size` is that of the MIDI file, in bytes."""


class ListPieces(Block):
    """
    Lists the pieces of a corpus, and gives each task a stretch of them. One task does it.

    Args:
        preparation ([`Preparation`]): which.
    """

    name = "list pieces"

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> None:
        """
        Writes the listing.

        Raises:
            `ValueError`: there are no pieces, or their items cannot be written as JSON.
            `RuntimeError`: the source has changed since the preparation began.
        """
        check_source(self.preparation)
        work, builder = self.preparation.work, self.preparation.builder()
        pieces = builder.wanted_pieces()
        bounds = [len(pieces) * task // work.tasks for task in range(work.tasks + 1)]
        for task, (begin, end) in enumerate(itertools.pairwise(bounds)):
            path = work.pieces(task)
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as partial, partial.open("w", encoding="utf-8") as file:
                file.writelines(f"{_as_json(piece, builder)}\n" for piece in pieces[begin:end])
        self.stat_update("pieces", value=len(pieces))
        counts = [end - begin for begin, end in itertools.pairwise(bounds)]
        write_json_whole(work.listing, {"pieces": counts, "unread": builder.count_unread()})


class ReadPieces(Block):
    """
    Reads the files of a task, those that cannot be read with the reason.

    Args:
        preparation ([`Preparation`]): which.
    """

    name = "read pieces"

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> Iterator[Piece]:
        """Yields each [`Piece`]."""
        builder = self.preparation.builder()
        with self.preparation.work.pieces(rank).open(encoding="utf-8") as file:
            pieces = [builder.piece_from_json(json.loads(line)) for line in file]
        yield from builder.read_pieces(pieces) if pieces else ()


class InspectPieces(Block):
    """
    Mends and checks pieces, and finds out their facts, what their notes are known by, and their melody.

    Args:
        preparation ([`Preparation`]): which.
    """

    name = "inspect pieces"

    def run(self, data: Iterable[Piece], rank: int = 0, world_size: int = 1) -> Iterator[dict[str, Any]]:
        """Yields the row of each [`Piece`], as [`MidiCorpusBuilder.make_row`] makes it."""
        builder, detector = self.preparation.builder(), self.preparation.detector
        for piece in data:
            with self.track_time():
                row = builder.make_row(piece)
                if detector != NEWEST:  # for which the builder takes melodies
                    row[MELODY] = melody_of_row(row, detector)
            self.stat_update("refused" if row["refused_reason"] else "mended" if row["mended"] else "sound")
            yield row


class WriteRows(Block):
    """
    Writes the rows of a task as Parquet, and beside them what families and splits are made of.

    Args:
        preparation ([`Preparation`]): which.
    """

    name = "write rows"

    def run(self, data: Iterable[dict[str, Any]], rank: int = 0, world_size: int = 1) -> None:
        """
        Writes both files, whole.

        Raises:
            `RuntimeError`: there are fewer or more rows than pieces.
        """
        work, schema = self.preparation.work, row_features(self.preparation.builder()).arrow_schema
        rows, facts = work.rows(rank), work.facts(rank)
        for path in (rows, facts):
            path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(rows) as partial_rows, whole_file(facts) as partial_facts:
            count = _write(data, schema, partial_rows, partial_facts)
        expected = json.loads(work.listing.read_bytes())["pieces"][rank]
        if count != expected:
            raise RuntimeError(f"Of {expected} pieces of task {rank}, {count} came back: each gives one row.")


def row_features(builder: MidiCorpusBuilder) -> Features:
    """Columns of the rows; melodies lie elsewhere."""
    return Features({name: feature for name, feature in builder.info.features.items() if name != MELODY})


def _write(data: Iterable[dict[str, Any]], schema: pa.Schema, rows: Path, facts: Path) -> int:
    count, data = 0, iter(data)
    of_facts = FACTS.arrow_schema
    with (
        pq.ParquetWriter(rows, schema, compression=COMPRESSION) as rows_writer,
        pa.OSFile(str(facts), "wb") as file,
        pa.ipc.new_stream(file, of_facts) as facts_writer,
    ):
        while group := list(itertools.islice(data, GROUP_ROWS)):
            rows_writer.write_table(pa.Table.from_pylist(group, schema), GROUP_ROWS)
            told = [{**row, SIZE: len(row["midi"]["bytes"] or b"")} for row in group]
            facts_writer.write_table(pa.Table.from_pylist(told, of_facts))
            count += len(group)
    return count


def _as_json(piece: Any, builder: MidiCorpusBuilder) -> str:
    """
    An item of `list_pieces`, in a line.

    Raises:
        `ValueError`: it does not come back from there as it is.
    """
    try:
        text = json.dumps(plain := to_json(piece))
        again = builder.piece_from_json(json.loads(text))
        if type(again) is type(piece) and to_json(again) == plain:
            return text
        problem = f"it comes back as {again!r}"
    except (TypeError, ValueError, KeyError) as error:
        problem = f"{type(error).__name__}: {error}"
    name = type(builder).__name__
    raise ValueError(
        f"{name}.list_pieces() lists {piece!r}, which cannot be handed to other processes as JSON ({problem}). List "
        f"texts, numbers, or lists of these, or have {name}.piece_from_json make it of what JSON holds."
    )
