"""One figure of many pieces: how the continuations' distances from their prompts differ from the originals'."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from .divergences import NUM_BINS, bootstrap_deviation, halves_kl, histogram_kl, overlap_area, shared_bins, swapped_kl

TWO_SIDED_95 = 1.959964
"""Standard deviations each side of the mean that hold 95% of a normal distribution."""

ROUNDING = 1e-9
"""Scores that differ less than this differ by rounding only."""


@dataclass(frozen=True)
class ScoreSettings:
    """
    How a score is computed.

    Args:
        num_bins (`int`, *optional*, defaults to 10): bins of the two histograms, at least 2.
        resamples (`int`, *optional*, defaults to 1,000): bootstrap samples of the pieces, and swaps, at least 2.
        splits (`int`, *optional*, defaults to 1,000): random halves of the originals, at least 1.
        seed (`int`, *optional*, defaults to 0): of samples, swaps and halves.
    """

    num_bins: int = NUM_BINS
    resamples: int = 1000
    splits: int = 1000
    seed: int = 0

    def __post_init__(self):
        for name, least in (("num_bins", 2), ("resamples", 2), ("splits", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)} must be at least {least}.")


@dataclass(frozen=True)
class DistanceScore:
    """
    The score of one feature over the pieces. What cannot be computed from so few pieces is `None`.

    Args:
        score (`float`): KL(original || generated) of the histograms of distances, in nats; lower is better.
        interval (`tuple[float, float]`):
            95% interval of `score`: plus and minus 1.96 standard deviations of a bootstrap over pieces, from 0 up.
        p_value (`float`):
            How often the score is as high or higher where original and generated are swapped at random within each
            piece: under 0.05, chance hardly explains it.
        noise_floor (`float`): mean of the same score between random halves of the originals, in nats.
        noise_floor_95 (`float`): the score that 95% of those do not exceed, in nats.
        overlap_area (`float`): of the two histograms, 0 (apart) to 1 (alike).
        mean_original (`float`): of the originals' distances from their prompts, in the unit of the distance.
        mean_generated (`float`): of the continuations'.
        num_pieces (`int`): pieces that count.
        dropped (`dict[str, list[str]]`): names of the pieces that do not, by reason.
        counts (`dict[str, int]`): what else was counted on the way.
    """

    score: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    noise_floor: float | None = None
    noise_floor_95: float | None = None
    overlap_area: float | None = None
    mean_original: float | None = None
    mean_generated: float | None = None
    num_pieces: int = 0
    dropped: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def to_dict(self, name: str = "score") -> dict:
        """
        Plain values that valid JSON can hold: no NaN, no Infinity.

        Args:
            name (`str`, *optional*, defaults to `"score"`): key of the score.
        """
        values = asdict(self)
        values["interval"] = None if self.interval is None else list(self.interval)
        num_dropped = sum(map(len, self.dropped.values()))
        return {name: values.pop("score")} | values | {"num_dropped": num_dropped}


def score_distances(
    original: np.ndarray,
    generated: np.ndarray,
    settings: ScoreSettings | None = None,
    dropped: Mapping[str, list[str]] | None = None,
    counts: Mapping[str, int] | None = None,
) -> DistanceScore:
    """
    Compares the distances prompt to generated with the distances prompt to original.

    Both are sorted into ten bins that each hold a tenth of all of them; half a piece is added to every bin. The noise
    floor has bins of its own, made likewise from the originals. Its halves have half the pieces, so that it lies about
    twice as high as chance puts a score of all pieces: what is above `noise_floor_95` differs, what is below may.
    `p_value` is the sharper test.

    Args:
        original (`np.ndarray` of shape `(pieces,)`): finite distances (or similarities).
        generated (`np.ndarray` of shape `(pieces,)`): likewise, of the same pieces in the same order.
        settings ([`ScoreSettings`], *optional*): `ScoreSettings()` if not given.
        dropped (`dict[str, list[str]]`, *optional*): names of pieces left out before, by reason.
        counts (`dict[str, int]`, *optional*): what else is to be reported.

    Returns:
        [`DistanceScore`]

    Raises:
        `ValueError`: the numbers of distances differ, or a distance is not finite.

    Example:
    ```py
    >>> import numpy as np
    >>> from neuromusic_hf.metrics import score_distances
    >>> original = np.random.default_rng(0).gamma(2, 0.1, size=200)
    >>> score = score_distances(original, original * 1.5)
    >>> round(score.score, 2), [round(bound, 2) for bound in score.interval], round(score.p_value, 3)
    (0.19, [0.1, 0.27], 0.001)
    >>> round(score.noise_floor, 2), round(score.noise_floor_95, 2)
    (0.09, 0.16)
    ```
    """
    original, generated = np.asarray(original, dtype=np.float64), np.asarray(generated, dtype=np.float64)
    if original.shape != generated.shape or original.ndim != 1:
        raise ValueError(
            f"{original.shape} distances of originals and {generated.shape} of continuations: give one of each per "
            "piece, in the same order."
        )
    left_out = DistanceScore(dropped=dict(dropped or {}), counts=dict(counts or {}))
    if not len(original):
        return left_out
    settings = settings or ScoreSettings()
    bins = shared_bins(original, generated, num_bins=settings.num_bins)
    highest = max(each.max() for each in bins)
    histograms = [np.bincount(each, minlength=highest + 1) for each in bins]
    score = float(histogram_kl(*histograms))
    return replace(
        left_out,
        score=score,
        overlap_area=overlap_area(*histograms),
        mean_original=float(original.mean()),
        mean_generated=float(generated.mean()),
        num_pieces=len(original),
        **(_uncertainty(score, original, bins, settings) if len(original) > 1 else {}),
    )


def _uncertainty(
    score: float, original: np.ndarray, bins: list[np.ndarray], settings: ScoreSettings
) -> dict[str, Any]:
    of_original, of_generated = bins
    random = np.random.default_rng(settings.seed)
    # Around the score: KL of resamples is biased upwards, so that their quantiles often lie above the score itself.
    spread = TWO_SIDED_95 * bootstrap_deviation(of_original, of_generated, settings.resamples, random)
    (original_bins,) = shared_bins(original, num_bins=settings.num_bins)
    floor = halves_kl(original_bins, settings.splits, random)
    as_high = swapped_kl(of_original, of_generated, settings.resamples, random) > score - ROUNDING
    return {
        "interval": (max(0.0, score - spread), score + spread),
        "p_value": float((1 + as_high.sum()) / (1 + settings.resamples)),
        "noise_floor": float(floor.mean()),
        "noise_floor_95": float(np.quantile(floor, 0.95)),
    }
