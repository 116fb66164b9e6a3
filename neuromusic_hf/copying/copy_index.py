"""The training pieces, indexed so that whether a run of notes stands in them is told in microseconds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from symusic.core import ScoreTick

from .suffix_array import SuffixArray
from .training_parts import TrainingParts


@dataclass(frozen=True, eq=False, repr=False)
class CopyIndex:
    """
    Runs of notes of training pieces, in whatever key. Make one with [`CopyIndex.of`].

    It keeps 12 bytes a note; making it takes 70 more for the notes of one part, 140 MB at most.

    Args:
        parts (list of [`SuffixArray`]): over the intervals of all pieces, as of [`note_intervals`].
        num_pieces (`int`): training pieces.
        num_notes (`int`): their notes, drums apart.
        sha256 (`str`): over the intervals.
        name (`str`, *optional*): of the corpus.
    """

    parts: list[SuffixArray]
    num_pieces: int
    num_notes: int
    sha256: str
    name: str | None = None

    @classmethod
    def of(cls, pieces: Iterable[ScoreTick], name: str | None = None) -> CopyIndex:
        """
        Indexes training pieces.

        Args:
            pieces (`Iterable[symusic.Score]`): read once, one at a time.
            name (`str`, *optional*): what the corpus is called.

        Raises:
            `ValueError`: there is no note in them, drums apart.
        """
        training = TrainingParts(pieces)
        parts = [SuffixArray(part) for part in training]
        if not training.num_notes:
            raise ValueError(
                f"{name or 'The training music'} has no note that could be copied, drums apart, in "
                f"{training.num_pieces} pieces: give what the model was trained on."
            )
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part.text.astype("<i4").tobytes())
        return cls(parts, training.num_pieces, training.num_notes, digest.hexdigest(), name)

    def __repr__(self) -> str:
        return f"CopyIndex(name={self.name!r}, {self.num_pieces:,} pieces, {self.num_notes:,} notes)"

    def holds(self, run: Sequence[int]) -> bool:
        """Whether a run of intervals stands in a training piece."""
        return any(low < high for low, high in (part.find(run) for part in self.parts))

    def followers(self, run: Sequence[int]) -> np.ndarray:
        """The intervals that follow a run, wherever it stands in a training piece: each once, ascending."""
        found = []
        for part in self.parts:
            low, high = part.find(run)
            if low < high:
                found.append(part.followers(low, high, len(run)))
        return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int32)
