"""Where pieces to continue come from: files, folders, or the split of a corpus."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset

from ..corpora import Midi, RefusedFile, load_corpus
from ..corpora.builder import printable
from ..corpora.midi_feature import NO_BYTES
from ..corpora.sources import is_midi_name, list_source
from ..ranges import PROCESSES, SEEDS, Range, check_ranges


@dataclass(frozen=True)
class FilePiece:
    """A MIDI file to continue, read when it is its turn."""

    path: Path

    @property
    def name(self) -> str:
        """Fit for a picture's title."""
        return printable(self.path.stem)

    @property
    def identity(self) -> str:
        """Tells whether another run met the same piece: path and bytes."""
        return f"{printable(self.path.as_posix())} {self.path.lstat().st_size}"

    def read(self) -> bytes:
        """
        Returns the file's content.

        Raises:
            [`RefusedFile`]: it cannot be read.
        """
        if self.path.exists() and not self.path.is_file():  # to read a pipe would wait for ever
            raise RefusedFile("unreadable", "not a regular file")
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise RefusedFile("unreadable", error.strerror or str(error)) from error


@dataclass(frozen=True)
class RowPiece:
    """A row of a corpus to continue, read when it is its turn."""

    rows: Dataset
    index: int
    identity: str

    @property
    def name(self) -> str:
        """Title of the piece where the corpus has one, else the name of its file."""
        row = self.rows[self.index]
        return printable(str(row.get("title") or Path(row["midi"]["path"] or row["content_hash"][:12]).stem))

    def read(self) -> bytes:
        """
        Returns the content of the row's MIDI file.

        Raises:
            [`RefusedFile`]: the row holds none.
        """
        data = (self.rows[self.index]["midi"] or {}).get("bytes")
        if data is None:
            raise RefusedFile("missing", NO_BYTES)
        return data


PIECE_RANGES = {"max_items": Range(1, "pieces"), "num_proc": PROCESSES, "seed": SEEDS}
"""Of the arguments of [`find_pieces`] and [`choose_pieces`], to check before the one that reads."""

PieceSource = FilePiece | RowPiece


def find_pieces(
    sources: Sequence[str], *, split: str = "test", data_dir: str | None = None, num_proc: int | None = None
) -> list[PieceSource]:
    """
    Finds the pieces that `sources` name, and reads none: files in order of their names, then the rows of a corpus in
    its own order.

    Args:
        sources (sequence of `str`):
            MIDI files, folders of them (searched deeply), or names of corpora as for [`load_corpus`].
        split (`str`, *optional*, defaults to `"test"`): which split of a corpus.
        data_dir (`str`, *optional*): where a corpus lies, if it is here already.
        num_proc (`int`, *optional*): processes that read a corpus.

    Raises:
        `FileNotFoundError`: a MIDI file does not exist.
        `ValueError`: a folder holds no MIDI file, or there is no such corpus.
    """
    check_ranges({"num_proc": num_proc}, PIECE_RANGES)
    for path in map(Path, sources):
        if is_midi_name(path.name) and not path.exists():
            raise FileNotFoundError(f"There is no MIDI file '{path}'.")
    pieces = []
    for source in sources:
        path = Path(source)
        if path.is_dir() and (files := _files_in(path)):
            pieces += map(FilePiece, files)
        elif path.is_file() and is_midi_name(path.name):
            pieces.append(FilePiece(path))
        else:
            pieces += row_pieces(load_corpus(source, data_dir=data_dir, num_proc=num_proc)[split])
    return pieces


def _files_in(folder: Path) -> list[Path]:
    """MIDI files, in order; with them the folders that cannot be listed, which are refused when it is their turn."""
    files = [file for file in folder.rglob("*") if is_midi_name(file.name)]
    unlisted = [folder / entry.name for entry in list_source(folder) if entry.problem]
    return sorted([*files, *unlisted]) if files else []


def row_pieces(split: Dataset) -> list[RowPiece]:
    """The pieces of a split of a corpus, in its order."""
    rows = split.cast_column("midi", Midi(decode=False))
    return [RowPiece(rows, index, identity) for index, identity in enumerate(rows["content_hash"])]


def choose_pieces(pieces: list[PieceSource], max_items: int | None, seed: int) -> list[PieceSource]:
    """
    Returns `max_items` of the pieces by chance, in the order they had; all of them where there are no more, or where
    it is `None`.

    Raises:
        `ValueError`: `max_items` is not positive, or `seed` out of range.
    """
    check_ranges({"max_items": max_items, "seed": seed}, PIECE_RANGES)
    if max_items is None or max_items >= len(pieces):
        return pieces
    return [pieces[index] for index in sorted(random.Random(seed).sample(range(len(pieces)), max_items))]


def fingerprint(pieces: list[PieceSource]) -> str:
    """SHA-256 over the identities of the pieces, in their order: the same where two runs continue the same pieces."""
    return hashlib.sha256("\n".join(piece.identity for piece in pieces).encode()).hexdigest()
