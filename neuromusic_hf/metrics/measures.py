"""What of two pieces is compared, and how."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from symusic.core import ScoreTick

from .divergences import distribution_distance
from .embedding import HarmonyEmbedding
from .features import duration_distribution, pitch_class_distribution
from .harmony import harmonic_reduction


@dataclass(frozen=True)
class Measure:
    """
    How two pieces are compared.

    Args:
        feature (`Callable`): from a [`symusic.Score`]; raises [`NoFeature`] where the score has none.
        distance (`Callable`): from two features, a finite `float`.
        count (`Callable`, *optional*): from a feature, what to sum over all pieces, as `dict[str, int]`.
    """

    feature: Callable[[ScoreTick], Any]
    distance: Callable[[Any, Any], float]
    count: Callable[[Any], Mapping[str, int]] | None = None


PITCH = Measure(pitch_class_distribution, distribution_distance)
"""KL(prompt || continuation) of their pitch classes, in nats."""

DURATION = Measure(duration_distribution, distribution_distance)
"""KL(prompt || continuation) of their note durations, in nats."""


def harmony_measure(embedding: HarmonyEmbedding) -> Measure:
    """Cosine similarity of the mean word vectors of two harmonic reductions, -1 to 1; unknown words are counted."""
    return Measure(harmonic_reduction, embedding.similarity, embedding.count_words)


def all_measures(embedding: HarmonyEmbedding) -> dict[str, Measure]:
    """The measures of the three scores, by the name of the feature."""
    return {"pitch": PITCH, "duration": DURATION, "harmony": harmony_measure(embedding)}
