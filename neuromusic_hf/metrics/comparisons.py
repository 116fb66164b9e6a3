"""What of a continuation is compared with its prompt: declared here, and nowhere else."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ..imports import import_by_path
from .comparison import Comparison
from .divergences import distribution_distance
from .embedding import HarmonyEmbedding
from .features import duration_distribution, pitch_class_distribution
from .harmony import harmonic_reduction

PITCH = Comparison(
    name="pitch",
    title="Pitch classes",
    unit="KL, nats",
    feature=pitch_class_distribution,
    distance=distribution_distance,
)

DURATION = Comparison(
    name="duration",
    title="Note durations",
    unit="KL, nats",
    feature=duration_distribution,
    distance=distribution_distance,
)

HARMONY = Comparison(
    name="harmony",
    title="Harmony",
    unit="cosine",
    feature=harmonic_reduction,
    distance=HarmonyEmbedding.similarity,
    higher_is_nearer=True,
    decimals=4,
    count=HarmonyEmbedding.count_words,
    needs_embedding=True,
)

COMPARISONS = (PITCH, DURATION, HARMONY)
"""From this follow the scores, their evaluate modules, columns, panels, curves and the page of a report."""


def all_comparisons(
    further: Iterable[Comparison | str] | Comparison | str = (), embedding: HarmonyEmbedding | str | Path | None = None
) -> tuple[Comparison, ...]:
    """
    Gathers the comparisons of this package and others, ready to compare.

    Args:
        further (`Iterable[Comparison | str]`, *optional*):
            Others, each by itself or by its import path (`"my_package.my_module.LOUDNESS"`); one needs no list.
        embedding ([`HarmonyEmbedding`], `str` or `Path`, *optional*):
            For those that need one; the one that comes with the package if not given.

    Raises:
        `ValueError`: there is no comparison under a path, or two have one name.
        `OSError`: the embedding cannot be read.
    """
    found = [*COMPARISONS, *map(_find, [further] if isinstance(further, str | Comparison) else further)]
    names = [comparison.name for comparison in found]
    if twins := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"There are two comparisons of the name {twins[0]!r}: give each a name of its own.")
    return tuple(comparison.bind(embedding) for comparison in found)


def _find(comparison: Comparison | str) -> Comparison:
    if isinstance(comparison, Comparison):
        return comparison
    return replace(import_by_path(comparison, Comparison, "comparison"), import_path=comparison)
