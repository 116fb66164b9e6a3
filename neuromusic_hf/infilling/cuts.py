"""What is cut out of a piece, and how much of the music around it is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..music.score_arrays import ScoreArrays


@dataclass(frozen=True)
class Cut:
    """
    A middle of a piece, and its surroundings; all at bar lines, in ticks of the quantised piece.

    Args:
        begin (`int`): where the prefix begins; 0 for the beginning of the piece.
        start (`int`): where the middle begins.
        end (`int`): where it ends, and the suffix begins.
        finish (`int`, *optional*): where the suffix ends; the end of the piece if `None`.
        programs (`frozenset[int]`, *optional*):
            MIDI programs that are cut out, -1 for drums: the others are given. All tracks if `None`.

    Raises:
        `ValueError`: these are not in order of time, or there are no programs.
    """

    begin: int
    start: int
    end: int
    finish: int | None = None
    programs: frozenset[int] | None = None

    def __post_init__(self):
        if not 0 <= self.begin <= self.start < self.end or (self.finish is not None and self.finish < self.end):
            raise ValueError(f"{self} must be in order of time: 0 <= begin <= start < end <= finish.")
        if self.programs is not None and not self.programs:
            raise ValueError(f"{self} cuts out no program: give some, or None for all tracks.")

    def removed(self, piece: ScoreArrays) -> np.ndarray:
        """Which notes of a quantised piece are cut out: `bool` of shape `(notes,)`."""
        inside = (piece.onset >= self.start) & (piece.onset < self.end)
        if self.programs is None:
            return inside
        return inside & np.isin(piece.programs, list(self.programs))[piece.track]
