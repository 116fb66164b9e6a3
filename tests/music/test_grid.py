"""Ticks on a grid, against a search."""

import numpy as np

from neuromusic_hf.music import nearest_steps


def test_steps_are_the_nearest_and_half_goes_up():
    ticks = np.arange(200)
    steps = nearest_steps(ticks, 10, 4)  # 2.5 ticks a step
    distance = np.abs(ticks[:, None] - np.arange(100) * 2.5)
    assert steps.tolist() == (99 - distance[:, ::-1].argmin(axis=1)).tolist()
