"""Models that count: n-grams with interpolated modified Kneser-Ney smoothing, and what followed the longest match.

Both take all orders in one pass. A run of k tokens gets a number, from the number of the run of k - 1 tokens before
and the token itself; numbers of one order are the contexts of the next. Before a piece, its first token (BOS) stands
without end.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

MATCH_BANDS = 2 ** np.arange(3, 6)
"""Lengths of a match from which on another weight holds."""


@dataclass
class Counted:
    """
    What counting models say of the tokens of texts, those that begin them left out.

    Args:
        ngrams (`dict[int, np.ndarray]` of shape `(tokens,)`): by n, the probability of each token.
        copied (`np.ndarray` of shape `(tokens,)`): its share in what followed the longest match in the train texts.
        matched (`np.ndarray` of shape `(tokens,)`): tokens of that match.
    """

    ngrams: dict[int, np.ndarray]
    copied: np.ndarray
    matched: np.ndarray

    def split(self, place: int) -> tuple["Counted", "Counted"]:
        """The first `place` tokens, and the others."""
        return self._part(slice(place)), self._part(slice(place, None))

    def _part(self, part: slice) -> "Counted":
        ngrams = {n: chances[part] for n, chances in self.ngrams.items()}
        return Counted(ngrams, self.copied[part], self.matched[part])


def count_and_predict(
    train: list[np.ndarray], texts: list[np.ndarray], vocab_size: int, *, longest: int = 8, longest_match: int = 32
) -> Counted:
    """
    Predicts each token of `texts` from those before it, by what was counted in `train`.

    n-grams are smoothed as of Chen and Goodman 1999 (doi:10.1006/csla.1999.0128), section 3: three discounts an order,
    lower orders by the number of different tokens before, the lowest mixed with a uniform distribution.

    Args:
        train, texts (`list[np.ndarray]`): ids, of shape `(length,)`; each text begins with BOS.
        vocab_size (`int`): ids there are.
        longest (`int`, *optional*, defaults to 8): greatest n.
        longest_match (`int`, *optional*, defaults to 32): tokens of a match that are looked at.
    """
    lengths = [len(text) for text in train + texts]
    tokens, begins = np.concatenate(train + texts), np.cumsum([0, *lengths[:-1]])
    predicted = np.ones(len(tokens), dtype=bool)
    predicted[begins] = False
    in_train = np.arange(len(tokens)) < sum(lengths[: len(train)])
    learned, asked = np.flatnonzero(predicted & in_train), np.flatnonzero(predicted & ~in_train)

    ngrams, lower = {}, np.full(len(asked), 1 / vocab_size)
    copied, matched = np.zeros(len(asked)), np.zeros(len(asked), dtype=np.int64)
    runs = numbered_runs(tokens, begins, vocab_size)
    context, run = next(runs)
    for n in range(1, longest_match + 2):
        following, longer = next(runs)
        size = max(run.max(), context.max()) + 1
        context_of = np.zeros(size, dtype=np.int64)
        context_of[run] = context
        counts = np.bincount(run[learned], minlength=size)
        totals = np.bincount(context_of, counts, minlength=size)
        found = totals[context[asked]] > 0
        copied[found] = (counts[run[asked]] / np.maximum(totals[context[asked]], 1))[found]
        matched[found] = n - 1
        if n <= longest:
            ngrams[n] = _discounted(counts, context_of, run[asked], context[asked], lower)
            _, first = np.unique(longer[learned], return_index=True)
            different = np.bincount(run[learned][first], minlength=size)
            lower = _discounted(different, context_of, run[asked], context[asked], lower)
        context, run = following, longer
    return Counted(ngrams, copied, matched)


def numbered_runs(tokens: np.ndarray, begins: np.ndarray, vocab_size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For n = 1, 2, ... the numbers of the n - 1 tokens before each place, and of the n tokens that end there."""
    before = np.arange(-1, len(tokens) - 1)
    before[begins] = begins
    context = np.zeros_like(tokens)
    while True:
        run = np.unique(context * vocab_size + tokens, return_inverse=True)[1]
        yield context, run
        context = run[before]


def _discounted(
    counts: np.ndarray, context_of: np.ndarray, run: np.ndarray, context: np.ndarray, lower: np.ndarray
) -> np.ndarray:
    """Discounted shares of runs in their contexts, and what was taken off dealt out as `lower` says."""
    discounts = estimate_discounts(counts)[np.minimum(counts, 3)]
    totals = np.bincount(context_of, counts, minlength=len(counts))[context]
    taken = np.bincount(context_of, discounts, minlength=len(counts))[context]
    shares = (counts - discounts)[run] + taken * lower
    return np.where(totals > 0, shares / np.maximum(totals, 1), lower)


def estimate_discounts(counts: np.ndarray) -> np.ndarray:
    """
    What is taken off a count of 0, 1, 2, and 3 or more, estimated from how many runs were counted once to four times.

    Where too few were counted for an estimate, it is the half.
    """
    times = np.bincount(counts[counts < 5], minlength=5)
    once = times[1] / max(times[1] + 2 * times[2], 1)
    discounts = [0.0]
    for count in (1, 2, 3):
        found = count - (count + 1) * once * times[count + 1] / times[count] if times[count] else 0.0
        discounts.append(found if 0 < found < count else count / 2)
    return np.array(discounts)


def band_of(matched: np.ndarray) -> np.ndarray:
    """The number of the band that each length of a match lies in."""
    return np.searchsorted(MATCH_BANDS, matched, side="right")


def copying_weights(probabilities: np.ndarray, counted: Counted, rounds: int = 50) -> np.ndarray:
    """
    How far to trust a match, for each band of lengths: the weights under which tokens are likeliest, by EM.

    Args:
        probabilities (`np.ndarray` of shape `(tokens,)`): of the model that `counted.copied` is mixed with.
        counted ([`Counted`]): of the same tokens.
        rounds (`int`, *optional*, defaults to 50): of EM.

    Returns:
        `np.ndarray` of shape `(bands,)`.
    """
    bands = band_of(counted.matched)
    weights = np.full(len(MATCH_BANDS) + 1, 0.5)
    tokens = np.maximum(np.bincount(bands, minlength=len(weights)), 1)
    for _ in range(rounds):
        copied = weights[bands] * counted.copied
        by_copying = copied / (copied + (1 - weights[bands]) * probabilities)
        weights = np.bincount(bands, by_copying, minlength=len(weights)) / tokens
    return weights


def mix(probabilities: np.ndarray, counted: Counted, weights: np.ndarray) -> np.ndarray:
    """Probabilities of a model mixed with what followed the longest match, as [`copying_weights`] says."""
    weight = weights[band_of(counted.matched)]
    return weight * counted.copied + (1 - weight) * probabilities
