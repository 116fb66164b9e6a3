"""Divergences are what their definitions say, written as loops."""

import math

import numpy as np
import pytest

from neuromusic_hf.metrics.divergences import (
    bootstrap_deviation,
    cosine_similarity,
    distribution_distance,
    halves_kl,
    histogram_kl,
    kl_divergence,
    overlap_area,
    shared_bins,
    swapped_kl,
)


def naive_kl(p, q, smoothing):
    p, q = ([value + smoothing for value in values] for values in (p, q))
    return sum(a / sum(p) * math.log((a / sum(p)) / (b / sum(q))) for a, b in zip(p, q, strict=True))


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_kl_equals_a_loop_over_the_entries(random):
    p, q = random.integers(0, 5, (2, 7, 12))
    expected = [naive_kl(a, b, 0.5) for a, b in zip(p.tolist(), q.tolist(), strict=True)]
    assert np.allclose(kl_divergence(p, q, 0.5), expected)


def test_kl_is_zero_for_the_same_and_finite_for_disjoint_distributions():
    p, q = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert kl_divergence(p, p) == 0
    assert 0 < kl_divergence(p, q) < math.log(1 / 1e-3)


@pytest.mark.parametrize(
    ("p", "q", "smoothing", "message"),
    [
        ([0.5, 0.5], [1.0], 1e-3, "one support"),
        ([], [], 1e-3, "one support"),
        ([0.5, 0.5], [0.5, 0.5], 0.0, "above 0"),
        ([1.5, -0.5], [0.5, 0.5], 1e-3, "-0.5"),
        ([math.nan, 1.0], [0.5, 0.5], 1e-3, "nan"),
    ],
)
def test_kl_refuses_what_has_none(p, q, smoothing, message):
    with pytest.raises(ValueError, match=message):
        kl_divergence(np.array(p), np.array(q), smoothing)


def test_distance_does_not_change_with_entries_that_nobody_uses(random):
    p, q = random.dirichlet(np.ones(6), 2)
    padded = [np.concatenate([values, np.zeros(300)]) for values in (p, q)]
    assert distribution_distance(*padded) == pytest.approx(distribution_distance(p, q))


def test_cosine_similarity_of_parallel_opposite_orthogonal_and_empty_vectors():
    a = np.array([1.0, 2.0])
    assert cosine_similarity(a, 3 * a) == pytest.approx(1)
    assert cosine_similarity(a, -a) == pytest.approx(-1)
    assert cosine_similarity(a, np.array([-2.0, 1.0])) == pytest.approx(0)
    assert cosine_similarity(a, 0 * a) == 0


def test_bins_hold_as_many_numbers_each_and_keep_their_order(random):
    first, second = random.normal(size=130), random.normal(1, 2, size=70)
    bins = np.concatenate(shared_bins(first, second, num_bins=10))
    assert np.bincount(bins).tolist() == [20] * 10
    order = np.argsort(np.concatenate([first, second]))
    assert (np.diff(bins[order]) >= 0).all()


def test_bins_do_not_change_with_the_unit_nor_with_an_outlier(random):
    values = random.gamma(2, size=50)
    (bins,) = shared_bins(values)
    assert np.array_equal(bins, shared_bins(1000 * values)[0])
    values[values.argmax()] *= 1e6
    assert np.array_equal(bins, shared_bins(values)[0])


def test_equal_numbers_share_a_bin_even_if_rounding_parts_them():
    values = np.array([0.1 + 0.2, 0.3, 0.3, 0.7])
    assert shared_bins(values)[0].tolist() == [0, 0, 0, 1]
    assert shared_bins(np.ones(5))[0].tolist() == [0] * 5


def test_bins_refuse_what_is_not_finite_and_less_than_two():
    with pytest.raises(ValueError, match="finite"):
        shared_bins(np.array([0.0, math.inf]))
    with pytest.raises(ValueError, match="num_bins=1"):
        shared_bins(np.ones(3), num_bins=1)


def test_overlap_area_of_the_same_half_and_disjoint_histograms():
    assert overlap_area(np.array([2, 2, 0]), np.array([1, 1, 0])) == pytest.approx(1)
    assert overlap_area(np.array([2, 2, 0]), np.array([0, 2, 2])) == pytest.approx(0.5)
    assert overlap_area(np.array([2, 0]), np.array([0, 3])) == 0


def test_bootstrap_agrees_with_drawing_pieces_one_by_one(random):
    bins = random.integers(0, 4, 60), random.integers(1, 4, 60)
    drawn = random.integers(0, 60, (4000, 60))
    scores = [histogram_kl(*(np.bincount(each[row], minlength=4) for each in bins)) for row in drawn]
    assert bootstrap_deviation(*bins, 4000, random) == pytest.approx(np.std(scores), rel=0.1)


def test_bootstrap_keeps_the_two_numbers_of_a_piece_together(random):
    bins = random.integers(0, 4, 60)
    assert bootstrap_deviation(bins, bins, 100, random) == 0


def test_halves_agree_with_shuffling(random):
    bins = random.integers(0, 4, 31)
    shuffled = [random.permutation(bins) for _ in range(4000)]
    scores = [histogram_kl(*(np.bincount(each, minlength=4) for each in (row[:15], row[15:]))) for row in shuffled]
    found = halves_kl(bins, 4000, random)
    assert found.shape == (4000,)
    assert np.allclose(np.quantile(found, [0.25, 0.5, 0.9]), np.quantile(scores, [0.25, 0.5, 0.9]), rtol=0.1)


def test_swaps_agree_with_tossing_every_piece(random):
    bins = np.stack([random.integers(0, 4, 40), random.integers(1, 4, 40)])
    scores = []
    for _ in range(4000):
        tossed = np.where(random.random(40) < 0.5, bins, bins[::-1])
        scores.append(histogram_kl(*(np.bincount(each, minlength=4) for each in tossed)))
    found = swapped_kl(*bins, 4000, random)
    assert np.allclose(np.quantile(found, [0.25, 0.5, 0.9]), np.quantile(scores, [0.25, 0.5, 0.9]), rtol=0.1)
