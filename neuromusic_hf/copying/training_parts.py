"""Training pieces in parts, so that what is indexed together has a size that memory bounds."""

from collections.abc import Iterable, Iterator

import numpy as np
from symusic.core import ScoreTick

from .intervals import intervals_of

PART_NOTES = 2_000_000
"""Of the training pieces that are indexed together. Fewer save no time, more only take memory."""


class TrainingParts:
    """
    Reads training pieces in parts, and counts them.

    Args:
        pieces (`Iterable[symusic.Score]`): one is held at a time.

    Attributes:
        num_pieces (`int`): that were read.
        num_notes (`int`): in these, drums apart.
    """

    def __init__(self, pieces: Iterable[ScoreTick]):
        self.pieces = pieces
        self.num_pieces = self.num_notes = 0

    def __iter__(self) -> Iterator[list[np.ndarray]]:
        """Intervals of pieces that have at most `PART_NOTES` notes together, or of one piece that has more."""
        part: list[np.ndarray] = []
        size = 0
        for piece in self.pieces:
            self.num_pieces += 1
            if (intervals := intervals_of(piece)) is None:
                continue
            notes = len(intervals) + 1
            self.num_notes += notes
            if part and size + notes > PART_NOTES:
                yield part
                part, size = [], 0
            part.append(intervals)
            size += notes
        if part:
            yield part
