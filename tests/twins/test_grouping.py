"""Families are the connected parts of the graph of twins."""

import numpy as np
import pytest

from neuromusic_hf.twins import Twin, families


def naive_families(count, pairs):
    family = list(range(count))
    for first, second in pairs:
        joined = {family[first], family[second]}
        family = [min(joined) if each in joined else each for each in family]
    return family


@pytest.mark.parametrize("count, pairs", [(0, 0), (1, 0), (5, 0), (2, 1), (40, 15), (40, 30), (40, 200)])
def test_they_are_those_of_a_naive_union(count, pairs):
    random = np.random.default_rng(pairs)
    pairs = [sorted(random.choice(count, 2, replace=False).tolist()) for _ in range(pairs)]
    found = families(count, (Twin(first, second, 30, 1.0, 0) for first, second in pairs))
    assert found.dtype == np.int64 and found.tolist() == naive_families(count, pairs)
