"""MAESTRO 2.0.0: piano performances, with the official splits and metadata."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

from datasets import Value

from ..music import RefusedFile
from .builder import Piece
from .download import fetch
from .folder import FolderCorpus
from .maestro_csv import CSV_NAME, CsvRow, read_csv_rows
from .sources import Entry, SourceError, is_midi_name, read_named

URL = "https://storage.googleapis.com/magentadata/datasets/maestro/v2.0.0/maestro-v2.0.0-midi.zip"
SHA256 = "ec2cc9d94886c6b376db1eaa2b8ad1ce62ff9f0a28b3744782b13163295dadf3"


class MaestroCorpus(FolderCorpus):
    """
    MAESTRO 2.0.0 (Hawthorne et al. 2019, arXiv:1810.12247; CC BY-NC-SA 4.0).

    Without `data_dir` the official archive is downloaded (57 MB), with resume and checksum. `data_dir` is a folder or
    an archive of that layout, or one that contains it. A file of the csv that is not there is refused as `missing`, a
    MIDI file that the csv does not name as `not_in_csv`, a file of which the row is damaged as `bad_csv_row`.
    """

    METADATA = {"composer": Value("string"), "title": Value("string"), "year": Value("int32")}
    OFFICIAL_SPLITS = True
    LICENCE = "cc-by-nc-sa-4.0"
    SOURCE = "https://magenta.tensorflow.org/datasets/maestro"
    CITATION = """\
@inproceedings{hawthorne2018enabling,
  title = {Enabling Factorized Piano Music Modeling and Generation with the {MAESTRO} Dataset},
  author = {Curtis Hawthorne and Andriy Stasyuk and Adam Roberts and Ian Simon and Cheng-Zhi Anna Huang and
            Sander Dieleman and Erich Elsen and Jesse Engel and Douglas Eck},
  booktitle = {International Conference on Learning Representations},
  year = {2019},
  url = {https://openreview.net/forum?id=r1lYRjC9F7},
}"""
    URL = URL
    SHA256 = SHA256

    @classmethod
    def source_fingerprint(cls, data_dir: str | None) -> str:
        """The checksum of the official archive, or the fingerprint of a local copy."""
        return cls.SHA256 if data_dir is None else super().source_fingerprint(data_dir)

    @property
    def source(self) -> str:
        """Path of the folder or archive that is read."""
        return self.config.data_dir or self.downloaded_path

    @property
    def downloaded_path(self) -> str:
        """Where the official archive is kept."""
        return os.path.join(self._cache_downloaded_dir, os.path.basename(self.URL))

    def list_pieces(self) -> list[tuple[Entry, CsvRow | None]]:
        """Entries of the source with their rows of the csv, and rows of which the file is not there."""
        if self.config.data_dir is None:
            fetch(self.URL, self.downloaded_path, self.SHA256)
        root, data = self._find_csv()
        rows = {root + row.file: row for row in read_csv_rows(data, f"'{root}{CSV_NAME}' in '{self.source}'")}
        entries = super().list_pieces()
        present = {entry.name for entry in entries if is_midi_name(entry.name)}
        absent = [(Entry(name, -1), row) for name, row in rows.items() if name not in present]
        return [(entry, rows.get(entry.name)) for entry in entries] + absent

    @staticmethod
    def piece_from_json(value: Any) -> tuple[Entry, CsvRow | None]:
        """An entry and its row."""
        entry, row = value
        return Entry.from_dict(entry), None if row is None else CsvRow(**row)

    def read_pieces(self, pieces: list[tuple[Entry, CsvRow | None]]) -> Iterator[Piece]:
        """Reads the files, with what the csv says about them."""
        present = [(entry, row) for entry, row in pieces if entry.index >= 0]
        rows = {entry.name: row for entry, row in present}
        for piece in super().read_pieces([entry for entry, _ in present]):
            yield _described(piece, rows[piece.path]) if is_midi_name(piece.path) else piece
        for entry, row in pieces:
            if entry.index < 0:
                refused = RefusedFile("missing", f"named in {CSV_NAME}, but no MIDI file in '{self.source}'")
                yield _described(Piece(entry.name, refused=refused), row)

    def _find_csv(self) -> tuple[str, bytes]:
        """The folder of the csv inside the source ("" or "maestro-v2.0.0/"), and its content."""
        found = read_named(self.source, CSV_NAME)
        if not found:
            raise SourceError(
                f"There is no {CSV_NAME} in '{self.source}', so it is not MAESTRO 2.0.0. Pass its folder or zip as "
                "data_dir, or no data_dir to download it; for MIDI files of another layout pass the path as the name."
            )
        name, data = found[0]
        return name[: -len(CSV_NAME)], data


def _described(piece: Piece, row: CsvRow | None) -> Piece:
    """The piece with what the csv says about it, or refused for what the csv lacks."""
    if row is None:
        return Piece(piece.path, refused=RefusedFile("not_in_csv", f"no row of {CSV_NAME} names this file"))
    if row.problem is not None:
        return Piece(piece.path, refused=RefusedFile("bad_csv_row", row.problem))
    return dataclasses.replace(piece, split=row.split, metadata=row.metadata)
