"""MAESTRO 2.0.0: piano performances, with the official splits and metadata."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from typing import Any

from datasets import Value

from .builder import Piece
from .download import fetch
from .folder import FolderCorpus
from .sanity import RefusedFile
from .sources import Entry, SourceError, is_midi_name, read_named

URL = "https://storage.googleapis.com/magentadata/datasets/maestro/v2.0.0/maestro-v2.0.0-midi.zip"
SHA256 = "ec2cc9d94886c6b376db1eaa2b8ad1ce62ff9f0a28b3744782b13163295dadf3"
CSV_NAME = "maestro-v2.0.0.csv"
CSV_COLUMNS = ("canonical_composer", "canonical_title", "split", "year", "midi_filename")


class MaestroCorpus(FolderCorpus):
    """MAESTRO 2.0.0 (Hawthorne et al. 2019, arXiv:1810.12247; CC BY-NC-SA 4.0).

    Without `data_dir` the official archive is downloaded (57 MB), with resume and checksum. `data_dir` is a folder or
    an archive of that layout, or one that contains it. A file of the csv that is not there is refused as `missing`, a
    MIDI file that the csv does not name as `not_in_csv`.
    """

    METADATA = {"composer": Value("string"), "title": Value("string"), "year": Value("int32")}
    OFFICIAL_SPLITS = True
    URL = URL
    SHA256 = SHA256

    @classmethod
    def source_fingerprint(cls, data_dir: str | None) -> str:
        return cls.SHA256 if data_dir is None else super().source_fingerprint(data_dir)

    @property
    def source(self) -> str:
        return self.config.data_dir or self.downloaded_path

    @property
    def downloaded_path(self) -> str:
        """Where the official archive is kept."""
        return os.path.join(self._cache_downloaded_dir, os.path.basename(self.URL))

    def list_pieces(self) -> list[tuple[Entry, str | None, dict[str, Any]]]:
        if self.config.data_dir is None:
            fetch(self.URL, self.downloaded_path, self.SHA256)
        root, rows = self._read_csv()
        entries = super().list_pieces()
        present = {entry.name for entry in entries}
        described = {root + row["midi_filename"]: row for row in rows}
        listed = [(entry, *_describe(described.get(entry.name))) for entry in entries]
        missing = [(Entry(name, -1), *_describe(row)) for name, row in described.items() if name not in present]
        return listed + missing

    def read_pieces(self, pieces: list[tuple[Entry, str | None, dict[str, Any]]]) -> Iterator[Piece]:
        known = {entry.name: (split, metadata) for entry, split, metadata in pieces if split is not None}
        for piece in super().read_pieces([entry for entry, _, _ in pieces if entry.index >= 0]):
            if piece.path in known:
                piece.split, piece.metadata = known[piece.path]
            elif is_midi_name(piece.path):
                piece.data, piece.refused = None, RefusedFile("not_in_csv", f"no row of {CSV_NAME} names this file")
            yield piece
        for entry, split, metadata in pieces:
            if entry.index < 0:
                refused = RefusedFile("missing", f"named in {CSV_NAME} but not in '{self.source}'")
                yield Piece(entry.name, refused=refused, split=split, metadata=metadata)

    def _read_csv(self) -> tuple[str, list[dict[str, str]]]:
        """The folder of the csv inside the source ("" or "maestro-v2.0.0/"), and the rows of the csv."""
        found = read_named(self.source, CSV_NAME)
        if not found:
            raise SourceError(
                f"There is no {CSV_NAME} in '{self.source}', so it is not MAESTRO 2.0.0. Pass its folder or zip as "
                "data_dir, or no data_dir to download it; for MIDI files of another layout pass the path as the name."
            )
        name, data = found[0]
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
        absent = [column for column in CSV_COLUMNS if not rows or column not in rows[0]]
        if absent:
            raise SourceError(f"'{name}' in '{self.source}' lacks the columns {absent}.")
        return name[: -len(CSV_NAME)], rows


def _describe(row: dict[str, str] | None) -> tuple[str | None, dict[str, Any]]:
    if row is None:
        return None, {}
    metadata = {"composer": row["canonical_composer"], "title": row["canonical_title"], "year": int(row["year"])}
    return row["split"], metadata
