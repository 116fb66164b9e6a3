"""Pairs of twins, and the families that they are joined into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Twin:
    """
    Two pieces that share their melody.

    Args:
        first, second (`int`): the pieces, by their index; the first is the smaller one.
        notes (`int`): that they share.
        share (`float`): of the shorter one's line.
        transposition (`int`): semitones from first to second.
    """

    first: int
    second: int
    notes: int
    share: float
    transposition: int


def families(count: int, twins: Iterable[Twin]) -> np.ndarray:
    """The family of each of `count` pieces, `(count,)` `int64`: the smallest index in it."""
    parents = list(range(count))

    def root(piece: int) -> int:
        while parents[piece] != piece:
            parents[piece] = parents[parents[piece]]
            piece = parents[piece]
        return piece

    for twin in twins:
        first, second = sorted((root(twin.first), root(twin.second)))
        parents[second] = first
    return np.array([root(piece) for piece in range(count)], np.int64)
