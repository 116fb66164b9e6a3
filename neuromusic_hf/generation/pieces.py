"""The inputs of the pipeline: one piece or many, whatever holds them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from symusic.core import ScoreTick
from torch.utils.data import Dataset

from ..corpora import SanityLimits, inspect_midi
from ..corpora.midi_feature import SCORE_TYPES, Midi
from ..tokenization import load_score

PROMPT_LIMITS = SanityLimits(min_notes=None, min_seconds=None)
"""A prompt may be as short as one note."""


@dataclass(frozen=True)
class PieceInput:
    """
    One input of the pipeline.

    Args:
        midi (path, `bytes`, [`symusic.Score`] or `dict`, *optional*):
            The piece; a `dict` holds `bytes`, `path` or both, and a `name` if it has one. `None` is no piece at all.
        index (`int`, *optional*): its place in a list or a stream; `None` if it is alone.
    """

    midi: str | Path | bytes | dict | ScoreTick | None
    index: int | None = None

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
            [`RefusedFile`]: it is not sound MIDI.
            `OSError`: there is no such file.
            `TypeError`: it is nothing that holds music.
        """
        if isinstance(self.midi, SCORE_TYPES):
            return load_score(self.midi)
        data = Midi().encode_example(self.midi)["bytes"]
        return load_score(inspect_midi(data, PROMPT_LIMITS).data)


class _PieceDataset(Dataset):
    """A data set or a column of known length, whose pieces are read when it is their turn."""

    def __init__(self, pieces):
        self.pieces = pieces

    def __len__(self):
        return len(self.pieces)

    def __getitem__(self, index: int) -> PieceInput:
        return PieceInput(self.pieces[index], index)


def as_pieces(midi) -> PieceInput | list[PieceInput] | Dataset | Iterator[PieceInput]:
    """
    One input for one piece, many for many: a list of a list, else a data set or an iterator, which read no piece yet.

    Raises:
        `TypeError`: `midi` is nothing that holds music.
    """
    if midi is None or isinstance(midi, (str, Path, bytes, bytearray, dict, *SCORE_TYPES)):
        return PieceInput(midi)
    if isinstance(midi, (list, tuple)):
        return [PieceInput(piece, index) for index, piece in enumerate(midi)]
    if hasattr(midi, "__len__") and hasattr(midi, "__getitem__"):
        return _PieceDataset(midi)
    if isinstance(midi, Iterable):
        return (PieceInput(piece, index) for index, piece in enumerate(midi))
    raise TypeError(f"Cannot continue a {type(midi).__name__}: give a path, bytes, a symusic.Score, or many of them.")
