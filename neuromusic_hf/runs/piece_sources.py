"""Where the pieces of a test run come from: files, folders, or the split of a corpus."""

import hashlib
import os
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets import Dataset

from ..bundles import settle_splits, splits_of_model
from ..corpora import CorpusSplits, load_corpus
from ..corpora.builder import printable
from ..corpora.clean import TWIN_IN_TRAIN, piece_name, twins_in_train
from ..corpora.names import find_corpora
from ..corpora.provenance import splits_used, takes_splits
from ..corpora.sources import attempt, is_midi_name, list_source, read_file
from ..generation.pieces import PROMPT_LIMITS
from ..music import Midi, RefusedFile
from ..music.midi_feature import NO_BYTES
from ..ranges import check_ranges
from .settings import PIECE_RANGES

DEFAULT_SPLIT = "test"


class PieceSource(ABC):
    """A piece, read when it is its turn."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called, fit for a picture's title."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where it comes from."""

    @abstractmethod
    def read(self) -> bytes:
        """
        Returns its MIDI file.

        Raises:
            [`RefusedFile`]: it cannot be read.
        """

    @property
    def splits(self) -> CorpusSplits | None:
        """How the corpus was split that it is of; `None` of a piece that is of none, or of official splits."""
        return None

    @property
    def identity(self) -> str:
        """Tells whether another run met the same piece: path and bytes, or why these cannot be read."""
        try:
            content = hashlib.sha256(self.read()).hexdigest()
        except RefusedFile as refused:
            content = str(refused)
        return printable(f"{self.place} {content}")


@dataclass(frozen=True)
class FilePiece(PieceSource):
    """
    A MIDI file.

    Args:
        path (`Path`): of the file.
        problem ([`RefusedFile`], *optional*): why there is none to read.
    """

    path: Path
    problem: RefusedFile | None = None

    @property
    def name(self) -> str:
        """The name of the file, without its extension."""
        return printable(self.path.stem)

    @property
    def place(self) -> str:
        """Its path, as it was found."""
        return self.path.as_posix()

    def read(self) -> bytes:
        """The content of the file, where that is no longer than a prompt may be."""
        found = self.problem or attempt(read_file, self.path, PROMPT_LIMITS)
        if isinstance(found, RefusedFile):
            raise found
        return found


@dataclass(frozen=True)
class RowPiece(PieceSource):
    """
    A row of a corpus.

    Args:
        rows ([`~datasets.Dataset`]): a split, whose column `midi` is not decoded.
        index (`int`): of the row.
        splits ([`CorpusSplits`], *optional*): how the corpus was split; `None` where that is official.
        twin (`str`, *optional*): the training piece for whose sake it is left out of a clean test.
    """

    rows: Dataset
    index: int
    splits: CorpusSplits | None = None
    twin: str | None = None

    @property
    def name(self) -> str:
        """As of [`piece_name`]."""
        return piece_name(self.rows[self.index])

    @property
    def place(self) -> str:
        """Its name: where the corpus lies does not matter."""
        return self.name

    def read(self) -> bytes:
        """The bytes in the row; no path in it is opened. A piece with a twin in train is refused."""
        if self.twin is not None:
            raise RefusedFile(TWIN_IN_TRAIN, self.twin)
        data = (self.rows[self.index]["midi"] or {}).get("bytes")
        if data is None:
            raise RefusedFile("missing", NO_BYTES)
        return data


def find_pieces(
    sources: Sequence[str],
    *,
    split: str | None = None,
    clean_test: bool = False,
    data_dir: str | None = None,
    revision: str | None = None,
    num_proc: int | None = None,
    splits: CorpusSplits | None = None,
    model: str | None = None,
    model_revision: str | None = None,
    token: str | bool | None = None,
) -> list[PieceSource]:
    """
    Finds the pieces that `sources` name, in their order, and reads none.

    Files of a folder come in order of their names, rows of a corpus in its own.

    Args:
        sources (sequence of `str`):
            MIDI files, folders of them (searched deeply), or names of corpora as for [`load_corpus`].
        split (`str`, *optional*):
            Which split of a corpus; test if not given. Where it is given, a folder of MIDI files is a corpus as well,
            which is split as [`load_corpus`] does.
        clean_test (`bool`, *optional*, defaults to `False`):
            Refuse, in their turn, the pieces of that split that have a twin in the corpus's own train.
        data_dir (`str`, *optional*): where a corpus lies, if it is here already.
        revision (`str`, *optional*): branch, tag or commit of a corpus on the Hub; main if not given.
        num_proc (`int`, *optional*): processes that read a corpus.
        splits ([`CorpusSplits`], *optional*): how corpora are split.
        model (`str`, *optional*): folder or Hub id of one; what `splits` do not say is as it was trained with.
        model_revision (`str`, *optional*): its branch, tag or commit on the Hub.
        token (`str` or `bool`, *optional*): for the Hub; that of `HF_TOKEN` or `hf auth login` if not given.

    Raises:
        `FileNotFoundError`: a MIDI file does not exist.
        `ValueError`: a folder holds no MIDI file, there is no such corpus, none of which there are revisions, none
            that is split as `splits` say, or a clean test is asked for of train, or of files, which have none.
    """
    check_ranges({"num_proc": num_proc}, PIECE_RANGES)
    if clean_test and split == "train":
        raise ValueError("clean_test leaves out what has a twin in train, and cannot be of train itself.")
    sources = [os.path.expanduser(source) for source in sources]
    for path in map(Path, sources):
        if is_midi_name(path.name) and not path.exists():
            raise FileNotFoundError(f"There is no MIDI file '{path}'.")
    on_hub = [source for source in sources if revision is not None and _is_on_hub(source)]
    if revision is not None and not on_hub:
        raise ValueError(f"Revision {revision!r} is of a corpus on the Hub, and {', '.join(sources)} is none.")
    pieces: list[PieceSource] = []
    asked, are_used = splits or CorpusSplits(), False
    for source in sources:
        path = Path(source)
        if split is None and path.is_dir() and (files := _files_in(path)):
            pieces += files
        elif path.is_file() and is_midi_name(path.name):
            pieces.append(FilePiece(path))
        else:
            at = revision if source in on_hub else None
            is_from_hub = any(corpus.is_from_hub for corpus in find_corpora(source, data_dir))
            how = CorpusSplits()
            if takes_splits(source, data_dir, at, token=token):
                are_used = True
                trained = None if model is None else splits_of_model(model, revision=model_revision, token=token)
                how = settle_splits(source, asked, trained, data_dir, revision=at, token=token)
            corpus = load_corpus(
                source,
                data_dir=data_dir,
                split_shares=how.shares,
                split_version=how.version,
                revision=at,
                num_proc=num_proc,
                token=token if is_from_hub else None,
            )
            chosen = corpus[split or DEFAULT_SPLIT]
            twins = twins_in_train(chosen, corpus["train"], num_proc=num_proc) if clean_test else {}
            found = row_pieces(chosen, splits_used(corpus.provenance))
            pieces += [replace(piece, twin=twins.get(piece.index)) for piece in found]
    if asked and not are_used:
        raise ValueError(
            f"No corpus of {', '.join(sources)} is split by us, as {asked} would have it: leave that out."
        )
    if clean_test and (alone := [piece.place for piece in pieces if isinstance(piece, FilePiece)]):
        raise ValueError(f"clean_test is of corpora, which have a train split, and {alone[0]} is a file of none.")
    return pieces


def _is_on_hub(source: str) -> bool:
    return not Path(source).exists() and any(corpus.is_on_hub for corpus in find_corpora(source))


def _files_in(folder: Path) -> list[FilePiece]:
    """MIDI files, in order; with them what cannot be listed, which is refused when it is its turn."""
    entries = list_source(folder)
    if not any(is_midi_name(entry.name) for entry in entries):
        return []
    told = (entry for entry in entries if entry.problem or is_midi_name(entry.name))
    return sorted((FilePiece(folder / entry.name, entry.problem) for entry in told), key=lambda piece: piece.path)


def row_pieces(split: Dataset, splits: CorpusSplits | None = None) -> list[RowPiece]:
    """The pieces of a split of a corpus, in its order; `splits` as of [`RowPiece`]."""
    rows = split.cast_column("midi", Midi(decode=False))
    return [RowPiece(rows, index, splits) for index in range(len(rows))]


def choose_pieces(pieces: Sequence[PieceSource], max_items: int | None, seed: int) -> list[PieceSource]:
    """
    Takes some of the pieces by chance.

    Args:
        pieces (sequence of [`PieceSource`]): to choose from.
        max_items (`int`, *optional*): so many; all of them where it is `None`, or where there are no more.
        seed (`int`): of the choice.

    Returns:
        The chosen pieces, in the order they had.

    Raises:
        `ValueError`: `max_items` is not positive, or `seed` out of range.
    """
    check_ranges({"max_items": max_items, "seed": seed}, PIECE_RANGES)
    if max_items is None or max_items >= len(pieces):
        return list(pieces)
    return [pieces[index] for index in sorted(random.Random(seed).sample(range(len(pieces)), max_items))]


def splits_of(pieces: Iterable[PieceSource]) -> CorpusSplits:
    """How the corpora were split that pieces are of, as far as they have that in common."""
    found = {piece.splits for piece in pieces if piece.splits is not None}
    versions, shares = {each.version for each in found}, {each.shares for each in found}
    return CorpusSplits(versions.pop() if len(versions) == 1 else None, shares.pop() if len(shares) == 1 else None)


def fingerprint(pieces: Iterable[PieceSource]) -> str:
    """
    SHA-256 over the identities of the pieces, in their order: the same where two runs are of the same pieces.

    All are read for it, one at a time.
    """
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(f"{piece.identity}\n".encode())
    return digest.hexdigest()
