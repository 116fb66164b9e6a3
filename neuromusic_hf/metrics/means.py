"""Means over pieces, and how sure they are."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mean:
    """
    A mean over pieces.

    Args:
        mean (`float`, *optional*): `None` where there is no piece.
        interval (`tuple[float, float]`, *optional*):
            Between 2.5% and 97.5% of the means of pieces drawn anew with replacement; `None` under two pieces.
        num_pieces (`int`): that count.
    """

    mean: float | None = None
    interval: tuple[float, float] | None = None
    num_pieces: int = 0


def mean_of(values: np.ndarray, resamples: int, seed: int) -> Mean:
    """
    The mean of one number a piece, with its bootstrap interval.

    Args:
        values (`np.ndarray` of shape `(pieces,)`): finite.
        resamples (`int`): times that pieces are drawn.
        seed (`int`): of the draws.
    """
    if not len(values):
        return Mean()
    if len(values) == 1:
        return Mean(float(values[0]), None, 1)
    random = np.random.default_rng(seed)
    means = [values[random.integers(len(values), size=len(values))].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Mean(float(values.mean()), (float(low), float(high)), len(values))


def halves_difference(values: np.ndarray, splits: int, seed: int) -> float | None:
    """
    What 95% of the differences between the means of two random halves do not exceed.

    Halves have half the pieces each, so that this is about twice what chance makes of the mean of all.

    Args:
        values (`np.ndarray` of shape `(pieces,)`): finite.
        splits (`int`): times that the pieces are halved.
        seed (`int`): of the halves.

    Returns:
        `float`, not negative; `None` under two pieces.
    """
    if len(values) < 2:
        return None
    random = np.random.default_rng(seed)
    shuffled = (random.permutation(values) for _ in range(splits))
    half = len(values) // 2
    return float(np.quantile([abs(each[:half].mean() - each[half:].mean()) for each in shuffled], 0.95))
