"""How far two distributions, two vectors, or two sets of numbers are apart: pure functions of arrays."""

import numpy as np

SHARE_SMOOTHING = 1e-3
"""Added to every share of a distribution of notes: about a tenth of a note where a piece has a hundred."""

COUNT_SMOOTHING = 0.5
"""Added to every bin's count, as if each bin had been seen half a time more (Jeffreys' prior)."""

NUM_BINS = 10

_DECIMALS = 9
"""Distances that differ less than this differ by rounding only, and fall into one bin."""


def kl_divergence(p: np.ndarray, q: np.ndarray, smoothing: float = SHARE_SMOOTHING) -> np.ndarray:
    """
    KL(p || q) in nats, after `smoothing` is added to every entry and both are made to sum to 1.

    Args:
        p (`np.ndarray` of shape `(..., support)`): shares or counts, not negative.
        q (`np.ndarray` of shape `(..., support)`): the same over the same support.
        smoothing (`float`, *optional*, defaults to 1e-3): in the unit of `p` and `q`, above 0.

    Returns:
        `np.ndarray` of shape `(...)`: 0 where both are alike; always finite.

    Raises:
        `ValueError`: the supports differ or are empty, an entry is negative or not finite, or `smoothing` is not above
            0.
    """
    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    if p.shape[-1:] != q.shape[-1:] or 0 in p.shape[-1:]:
        raise ValueError(f"KL needs two distributions over one support, these have shapes {p.shape} and {q.shape}.")
    if not smoothing > 0:
        raise ValueError(f"smoothing={smoothing} must be above 0: without it KL is infinite where q is 0.")
    for values in (p, q):
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise ValueError(f"KL needs shares or counts of 0 or more, these range from {values.min()}.")
    p, q = p + smoothing, q + smoothing
    p, q = p / p.sum(axis=-1, keepdims=True), q / q.sum(axis=-1, keepdims=True)
    return np.maximum(0.0, (p * np.log(p / q)).sum(axis=-1))


def distribution_distance(p: np.ndarray, q: np.ndarray, smoothing: float = SHARE_SMOOTHING) -> float:
    """
    [`kl_divergence`] of two distributions over the entries that either of them has.

    The entries that neither has are left out, so that a finer or longer grid does not change the distance.

    Args:
        p (`np.ndarray` of shape `(grid,)`): shares that sum to 1.
        q (`np.ndarray` of shape `(grid,)`): shares that sum to 1.
        smoothing (`float`, *optional*, defaults to 1e-3): added to every share.

    Returns:
        `float` in nats.
    """
    support = (np.asarray(p) > 0) | (np.asarray(q) > 0)
    return float(kl_divergence(np.asarray(p)[support], np.asarray(q)[support], smoothing))


def cosine_similarity(a: np.ndarray, b: np.ndarray) -> float:
    """
    Cosine of the angle between two vectors.

    Args:
        a (`np.ndarray` of shape `(size,)`): of any length, 0 included.
        b (`np.ndarray` of shape `(size,)`): likewise.

    Returns:
        `float` from -1 to 1; 0 where a vector has no length.
    """
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.clip(np.dot(a, b) / lengths, -1.0, 1.0)) if lengths else 0.0


def shared_bins(*samples: np.ndarray, num_bins: int = NUM_BINS) -> list[np.ndarray]:
    """
    Sorts the numbers of several samples into the same bins, each of which holds as many of all of them together.

    Bins of equal mass (Wang, Kulkarni and Verdú 2005, doi:10.1109/TIT.2005.853314) need no range, do not change with
    the unit, and one outlier does not move them. Equal numbers share a bin, so there may be fewer than `num_bins`.

    Args:
        samples (`np.ndarray` of shape `(numbers,)`): each of its own length.
        num_bins (`int`, *optional*, defaults to 10): of bins, at least 2.

    Returns:
        `list[np.ndarray]`: for each sample the index of each number's bin, from 0.

    Raises:
        `ValueError`: `num_bins` is below 2, there is no number, or one is not finite.
    """
    if num_bins < 2:
        raise ValueError(f"num_bins={num_bins} must be at least 2.")
    pooled = np.concatenate([np.asarray(sample, dtype=np.float64) for sample in samples])
    if not len(pooled) or not np.isfinite(pooled).all():
        raise ValueError("Bins need finite numbers: drop the pieces that have none, and count them.")
    pooled = np.round(pooled, _DECIMALS)
    highest_ranks = -(-np.arange(1, num_bins) * len(pooled) // num_bins) - 1
    bins = np.searchsorted(np.unique(np.sort(pooled)[highest_ranks]), pooled)
    return np.split(bins, np.cumsum([len(sample) for sample in samples])[:-1])


def histogram_kl(original: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """
    KL(original || generated) in nats of histograms over shared bins, each count plus [`COUNT_SMOOTHING`].

    Args:
        original (`np.ndarray` of shape `(..., bins)`): how many originals fall into each bin.
        generated (`np.ndarray` of shape `(..., bins)`): how many continuations do.

    Returns:
        `np.ndarray` of shape `(...)`.
    """
    return kl_divergence(original, generated, COUNT_SMOOTHING)


def overlap_area(original: np.ndarray, generated: np.ndarray) -> float:
    """
    Area under both of two histograms (Yang and Lerch 2020, doi:10.1007/s00521-018-3849-7), without smoothing.

    Args:
        original (`np.ndarray` of shape `(bins,)`): how many originals fall into each bin.
        generated (`np.ndarray` of shape `(bins,)`): how many continuations do.

    Returns:
        `float` from 0 (apart) to 1 (alike).
    """
    return float(np.minimum(original / original.sum(), generated / generated.sum()).sum())


def bootstrap_deviation(
    original_bins: np.ndarray, generated_bins: np.ndarray, resamples: int, random: np.random.Generator
) -> float:
    """
    Standard deviation of [`histogram_kl`] when the pieces are drawn anew with replacement.

    Both numbers of a piece are drawn together.

    Args:
        original_bins (`np.ndarray` of shape `(pieces,)`): bin of each piece's first number.
        generated_bins (`np.ndarray` of shape `(pieces,)`): bin of each piece's second number.
        resamples (`int`): times that pieces are drawn.
        random (`np.random.Generator`): source of the draws.

    Returns:
        `float` in nats.
    """
    pairs = _count_pairs(original_bins, generated_bins)
    drawn = random.multinomial(pairs.sum(), pairs.ravel() / pairs.sum(), size=resamples).reshape(-1, *pairs.shape)
    return float(histogram_kl(drawn.sum(axis=2), drawn.sum(axis=1)).std())


def swapped_kl(
    original_bins: np.ndarray, generated_bins: np.ndarray, swaps: int, random: np.random.Generator
) -> np.ndarray:
    """
    [`histogram_kl`] when of every piece it is tossed which number is the original's.

    This is what chance makes of pieces that do not differ: a paired permutation test.

    Args:
        original_bins (`np.ndarray` of shape `(pieces,)`): bin of each piece's first number.
        generated_bins (`np.ndarray` of shape `(pieces,)`): bin of each piece's second number.
        swaps (`int`): times that all pieces are tossed.
        random (`np.random.Generator`): source of the tosses.

    Returns:
        `np.ndarray` of shape `(swaps,)` in nats.
    """
    pairs = _count_pairs(original_bins, generated_bins)
    swapped = random.binomial(pairs, 0.5, size=(swaps, *pairs.shape))
    tossed = pairs - swapped + swapped.swapaxes(1, 2)
    return histogram_kl(tossed.sum(axis=2), tossed.sum(axis=1))


def _count_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How many pieces have which two bins: all that resampling needs, whose memory so depends on the bins alone."""
    num_bins = 1 + max(first.max(), second.max())
    return np.bincount(first * num_bins + second, minlength=num_bins**2).reshape(num_bins, num_bins)


def halves_kl(bins: np.ndarray, splits: int, random: np.random.Generator) -> np.ndarray:
    """
    [`histogram_kl`] between random halves of one sample.

    Args:
        bins (`np.ndarray` of shape `(pieces,)`): bin of each piece's number, at least two pieces.
        splits (`int`): times that the sample is halved; an odd piece goes to the second half.
        random (`np.random.Generator`): source of the halves.

    Returns:
        `np.ndarray` of shape `(splits,)` in nats.
    """
    counts = np.bincount(bins)
    first = random.multivariate_hypergeometric(counts, len(bins) // 2, size=splits)
    return histogram_kl(first, counts - first)
