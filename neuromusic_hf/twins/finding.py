"""Twins among many pieces: candidates by the runs they share, each verified by alignment."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from .alignment import PieceRuns, align
from .candidates import candidate_pairs
from .detectors import NEWEST, Detector
from .melodies import Melody
from .runs import sketch

KEPT_PIECES = 512
"""Whose runs are held while others are aligned with them."""

BAR_DELAY = 1.0
"""Seconds before a progress bar is shown."""


@dataclass(frozen=True)
class Twin:
    """
    Two pieces that share a melody.

    Args:
        first (`int`): index of a piece.
        second (`int`): of the other one, which is greater.
        notes (`int`): of the passage they share.
        share (`float`): of the shorter line that holds it, 0 to 1.
        transposition (`int`): semitones, from the first to the second.
    """

    first: int
    second: int
    notes: int
    share: float
    transposition: int


def find_twins(
    melodies: Sequence[Melody], groups: np.ndarray | None = None, detector: Detector = NEWEST
) -> list[Twin]:
    """
    Finds the pieces that share a melody, in time that grows little faster than their number.

    Pairs that share a few runs are candidates ([`candidate_pairs`]), and each of these is aligned
    ([`shared_melody`]). Of runs that more than 32 pieces have, each is looked for in some of these pieces alone: of a
    melody that so many have, not every pair need be found.

    Args:
        melodies (sequence of [`Melody`]): of all pieces; read one at a time, some again.
        groups (`np.ndarray` of shape `(pieces,)`, *optional*): twins are looked for between pieces of different groups
            alone, such as those of a test split and of a train split.
        detector ([`Detector`], *optional*): that the melodies were made for; the newest if not given.

    Returns:
        `list[Twin]`: by first and second piece.
    """
    return verified(melodies, candidates_among(melodies, groups, detector), detector)


def candidates_among(
    melodies: Sequence[Melody], groups: np.ndarray | None = None, detector: Detector = NEWEST
) -> np.ndarray:
    """Pairs of pieces that may be twins, as of [`candidate_pairs`]."""
    bar = tqdm(range(len(melodies)), desc="Sketching melodies", unit="piece", delay=BAR_DELAY)
    return candidate_pairs((sketch(melodies[index]) for index in bar), len(melodies), groups, detector)


def verified(melodies: Sequence[Melody], pairs: np.ndarray, detector: Detector = NEWEST) -> list[Twin]:
    """Those pairs that are twins."""
    runs = functools.lru_cache(KEPT_PIECES)(lambda index: PieceRuns(melodies[index]))
    found = []
    for first, second in tqdm(pairs.tolist(), desc="Aligning melodies", unit="pair", delay=BAR_DELAY):
        shared = align(runs(first), runs(second))
        if shared is not None and shared.makes_twins_by(detector):
            found.append(Twin(first, second, shared.notes, shared.share, shared.transposition))
    return found
