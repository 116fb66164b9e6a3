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
