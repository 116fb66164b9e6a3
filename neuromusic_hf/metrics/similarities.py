"""How alike two passages are in what sounds and in when notes begin, and these two as comparisons."""

import numpy as np
from symusic.core import ScoreTick

from ..music import RefusedFile, bar_starts, gather_notes
from ..music.bars import meters_of
from .comparison import Comparison
from .comparisons import COMPARISONS
from .divergences import cosine_similarity
from .features import pitch_class_distribution

POSITIONS = 16
"""Of a bar, whatever its meter."""


def chroma(score: ScoreTick) -> np.ndarray:
    """
    How long each pitch class sounds, as shares: the chroma of a passage (after Wu and Yang 2021, arXiv:2105.04090).

    Args:
        score ([`symusic.Score`]): in ticks.

    Returns:
        `np.ndarray` of shape `(12,)`, from C to B.

    Raises:
        `RefusedFile`: no pitch sounds: `no_notes`, `drums_only` or `no_sound`.
    """
    return pitch_class_distribution(score, weight="duration")


def grooves(score: ScoreTick) -> np.ndarray:
    """
    At which positions of its bar notes begin, for each bar in which one does.

    A bar has 16 positions, whatever its meter; a note counts at the nearest, drums too. What lies nearer to the next
    bar line than to the last position counts at the last.

    Args:
        score ([`symusic.Score`]): in ticks.

    Returns:
        `np.ndarray` of `bool` and shape `(bars, 16)`: bars in order of time, without those in which no note begins.

    Raises:
        `RefusedFile`: there is no note.
    """
    onset = gather_notes(score).onset
    if not len(onset):
        raise RefusedFile("no_notes", "no note")
    _, numerator, denominator = meters_of(score)
    longest = int((-(-4 * score.ticks_per_quarter * numerator // denominator)).max())
    lines = bar_starts(score, int(onset.max()) + longest + 2)
    bar = np.searchsorted(lines, onset, side="right") - 1
    length = lines[bar + 1] - lines[bar]
    steps = (2 * POSITIONS * (onset - lines[bar]) + length) // (2 * length)
    begins = np.zeros((len(lines), POSITIONS), bool)
    begins[bar, np.minimum(steps, POSITIONS - 1)] = True
    return begins[begins.any(axis=1)]


def groove_similarity(first: np.ndarray, second: np.ndarray) -> float:
    """
    In how many positions two bars agree, in the mean over all pairs of a bar of one and a bar of the other passage.

    It is 1 less the Hamming distance of their [`grooves`] (Wu and Yang 2020, arXiv:2008.01307).

    Args:
        first (`np.ndarray` of `bool` and shape `(bars, 16)`): of one passage.
        second (`np.ndarray` of `bool` and shape `(bars, 16)`): of the other.

    Returns:
        `float`: share of positions, 0 to 1.
    """
    return float((first[:, None, :] == second[None, :, :]).mean())


CHROMA = Comparison(
    name="chroma",
    title="Chroma",
    unit="cosine",
    feature=chroma,
    distance=cosine_similarity,
    higher_is_nearer=True,
)

GROOVE = Comparison(
    name="groove",
    title="Groove",
    unit="share of positions",
    feature=grooves,
    distance=groove_similarity,
    higher_is_nearer=True,
)

INFILL_COMPARISONS = (CHROMA, GROOVE, *COMPARISONS)
"""By which an infill is compared with its surroundings."""
