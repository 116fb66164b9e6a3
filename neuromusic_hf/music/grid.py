"""Ticks on a grid."""

import numpy as np


def nearest_steps(ticks: np.ndarray, ticks_per_quarter: int, steps_per_quarter: int) -> np.ndarray:
    """
    The nearest steps of a grid, in whole numbers; what lies halfway goes up.

    Args:
        ticks (`np.ndarray` of `int64`): times or lengths.
        ticks_per_quarter (`int`): of the score they come from.
        steps_per_quarter (`int`): of the grid.

    Returns:
        `np.ndarray` of `int64`, of the shape of `ticks`.
    """
    return (2 * steps_per_quarter * ticks + ticks_per_quarter) // (2 * ticks_per_quarter)


def resampled(ticks: np.ndarray, ticks_per_quarter: int, new_ticks_per_quarter: int) -> np.ndarray:
    """
    Times or lengths in other ticks, to the very tick that `symusic.Score.resample` gives them.

    It multiplies by a factor that double precision rounds, so that some of what lies halfway goes down: 98 ticks of
    1568 to a quarter are 0 of 8, where [`nearest_steps`] gives 1.

    Args:
        ticks (`np.ndarray` of `int64`): times or lengths.
        ticks_per_quarter (`int`): of the score they come from.
        new_ticks_per_quarter (`int`): of the other one.

    Returns:
        `np.ndarray` of `int64`, of the shape of `ticks`.
    """
    scaled = ticks * (new_ticks_per_quarter / ticks_per_quarter)
    whole = np.trunc(scaled)
    return (whole + np.trunc(2 * (scaled - whole))).astype(np.int64)
