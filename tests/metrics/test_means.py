"""Means over pieces, their intervals, and what halves differ by."""

import numpy as np
import pytest

from neuromusic_hf.metrics.means import Mean, halves_difference, mean_of


def test_the_interval_is_that_of_a_normal_distribution_where_there_are_many():
    values = np.random.default_rng(0).normal(3, 2, 900)
    found = mean_of(values, 2000, 0)
    half = 1.96 * values.std() / 30
    assert found.mean == pytest.approx(values.mean()) and found.num_pieces == 900
    assert found.interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)
    assert found == mean_of(values, 2000, 0) != mean_of(values, 2000, 1)


def test_few_values_have_no_interval_and_equal_ones_one_of_no_width():
    assert mean_of(np.zeros(0), 10, 0) == Mean() and mean_of(np.array([2.0]), 10, 0) == Mean(2.0, None, 1)
    assert mean_of(np.full(5, 0.5), 10, 0) == Mean(0.5, (0.5, 0.5), 5)
    assert halves_difference(np.array([2.0]), 10, 0) is None
    assert halves_difference(np.full(5, 0.5), 10, 0) == 0


def test_halves_differ_by_twice_what_the_mean_is_off_by():
    values = np.random.default_rng(0).normal(3, 2, 900)
    expected = 1.96 * 2 * values.std() / 30
    assert halves_difference(values, 4000, 0) == pytest.approx(expected, rel=0.1)
