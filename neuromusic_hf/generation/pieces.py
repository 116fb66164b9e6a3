"""The inputs of the pipeline: one piece or many, whatever holds them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import datasets
from datasets.iterable_dataset import IterableColumn
from symusic.core import ScoreTick
from torch.utils.data import Dataset

from ..corpora import PieceFacts, inspect_midi
from ..music import AnyScore, RefusedFile, SanityLimits, TempoMap, load_score, tell_mends
from ..music.chunks import end_of_tracks
from ..music.midi_feature import NO_BYTES, Midi

PROMPT_LIMITS = SanityLimits(min_notes=None, min_seconds=None)
"""A prompt may be as short as one note."""

STORED = (datasets.Dataset, datasets.IterableDataset, datasets.arrow_dataset.Column, IterableColumn)
"""Their values are rows, which may come from anyone."""


@dataclass(frozen=True)
class PieceInput:
    """
    One input of the pipeline.

    Args:
        midi (path, `bytes`, [`symusic.Score`] or `dict`, *optional*):
            The piece; a `dict` holds `bytes`, `path` or both, and a `name` if it has one. `None` is no piece at all.
        index (`int`, *optional*): its place in a list or a stream; `None` if it is alone.
        stored (`bool`, *optional*, defaults to `False`): a row of a dataset, of which no path is opened.
    """

    midi: str | Path | bytes | dict | ScoreTick | None
    index: int | None = None
    stored: bool = False

    @property
    def path(self) -> str | None:
        """Where it comes from, if that is known."""
        path = self.midi.get("path") if isinstance(self.midi, dict) else self.midi
        return str(path) if isinstance(path, (str, Path)) else None

    @property
    def name(self) -> str:
        """Its own name, else that of its file, else `piece` and its index."""
        given = self.midi.get("name") if isinstance(self.midi, dict) else None
        unnamed = "piece" if self.index is None else f"piece_{self.index}"
        return given or (Path(self.path).stem if self.path else unnamed)

    def load(self) -> ScoreTick:
        """
        Reads the piece.

        Raises:
            [`RefusedFile`]: it is no music that can be read.
            `OSError`: there is no such file.
            `TypeError`: it is nothing that holds music.
        """
        if isinstance(self.midi, AnyScore):
            return load_score(self.midi)
        return self._facts().score

    def load_with_end(self) -> tuple[ScoreTick, int]:
        """
        Reads the piece, and finds the tick at which it ends: that of its last event, or the end of a track after it.

        What lies further on than a piece may last is no end of music. Raises what [`PieceInput.load`] does.
        """
        if isinstance(self.midi, AnyScore):
            score = load_score(self.midi)
            ends = [score.end()]
        else:
            facts = self._facts()
            score, ends = facts.score, [facts.score.end(), end_of_tracks(facts.data)]
        seconds = TempoMap.of(score).to_seconds(ends).tolist()
        longest = PROMPT_LIMITS.max_seconds
        return score, max((end for end, at in zip(ends, seconds, strict=True) if at <= longest), default=0)

    def _facts(self) -> PieceFacts:
        if self._lacks_bytes():
            raise RefusedFile("missing", NO_BYTES)
        data = Midi().encode_example(self.midi)["bytes"]
        facts = inspect_midi(data, PROMPT_LIMITS)
        tell_mends(self.path or self.name, tuple(facts.mends))
        return facts

    def _lacks_bytes(self) -> bool:
        """Whether it is a row that has nothing but a path, which is opened only where the caller gives it as such."""
        if isinstance(self.midi, dict):
            return self.midi.get("bytes") is None and (self.stored or "bytes" in self.midi)
        return self.stored and self.path is not None


class _PieceDataset(Dataset):
    """A data set or a column of known length, whose pieces are read when it is their turn."""

    def __init__(self, pieces, stored: bool):
        self.pieces = pieces
        self.stored = stored

    def __len__(self):
        return len(self.pieces)

    def __getitem__(self, index: int) -> PieceInput:
        return PieceInput(self.pieces[index], index, self.stored)


def as_pieces(midi) -> PieceInput | list[PieceInput] | Dataset | Iterator[PieceInput]:
    """
    One input for one piece, many for many: a list of a list, else a data set or an iterator.

    Data sets and iterators read no piece yet. Paths are opened where the caller names them, one or a list; those in
    rows of a dataset never are.

    Raises:
        `TypeError`: `midi` is nothing that holds music.
    """
    if midi is None or isinstance(midi, (str, Path, bytes, bytearray, dict, AnyScore)):
        return PieceInput(midi)
    if isinstance(midi, (list, tuple)):
        return [PieceInput(piece, index) for index, piece in enumerate(midi)]
    # transformers' KeyDataset and torch's Subset hold the dataset they look into.
    stored = isinstance(midi, STORED) or isinstance(getattr(midi, "dataset", None), STORED)
    if hasattr(midi, "__len__") and hasattr(midi, "__getitem__"):
        return _PieceDataset(midi, stored)
    if isinstance(midi, Iterable):
        return (PieceInput(piece, index, stored) for index, piece in enumerate(midi))
    raise TypeError(f"A {type(midi).__name__} holds no music: give a path, bytes, a symusic.Score, or many of them.")
