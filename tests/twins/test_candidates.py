"""Candidates are the pairs that share a few runs, and are found without looking at all pairs."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from neuromusic_hf.twins.candidates import CANDIDATE_RUNS, NEXT, STRANGERS, candidate_pairs
from neuromusic_hf.twins.detectors import FIRST, NEWEST


def sketches_of(seed, count, most=12):
    """Random hashes over all 64 bits, of which each is in few of the pieces."""
    random = np.random.default_rng(seed)
    known = random.integers(0, 2**64, count * most // 2, dtype=np.uint64)
    return [np.unique(random.choice(known, random.integers(0, most))) for _ in range(count)]


def naive_pairs(sketches, groups, detector):
    everyone = len(sketches) + STRANGERS
    owners = {}
    for index, sketch in enumerate(sketches):
        for number in sketch.tolist():
            owners.setdefault(number, []).append(index)
    bits, runs = Counter(), Counter()
    for pieces in owners.values():
        assert len(pieces) <= detector.few
        for pair in combinations(pieces, 2):
            bits[pair] += np.log2(everyone / len(pieces))
            runs[pair] += 1
    return [
        list(pair)
        for pair in sorted(bits)
        if bits[pair] >= detector.surprise * np.log2(everyone)
        and runs[pair] >= max(CANDIDATE_RUNS, detector.share_of_sketch * min(len(sketches[index]) for index in pair))
        and (groups is None or groups[pair[0]] != groups[pair[1]])
    ]


@pytest.mark.parametrize("detector, most", [(FIRST, 12), (NEWEST, 12), (NEWEST, 500)])
@pytest.mark.parametrize("seed", range(3))
def test_pairs_are_those_of_all_pairs(seed, detector, most):
    sketches = sketches_of(seed, 70, most)
    for index in range(0, 60, 4):  # of random sketches hardly any share three
        sketches[index + 1] = np.unique(np.concatenate([sketches[index + 1], sketches[index][:5]]))
    groups = np.random.default_rng(seed).integers(0, 3, len(sketches))
    for among in (None, groups):
        expected = naive_pairs(sketches, among, detector)
        assert 5 < len(expected) < 70 * 69 / 2
        assert candidate_pairs(iter(sketches), len(sketches), among, detector).tolist() == expected


@pytest.mark.parametrize("strangers", [0, 10, 25])
def test_what_other_pieces_share_too_does_not_part_two(strangers):
    """Two have five runs in common; those of each are common to others as well, two by two."""
    shared = np.arange(5, dtype=np.uint64) << np.uint64(50)
    sketches = [shared, shared, *(shared[[index % 5, (index + 1) % 5]] for index in range(strangers))]
    assert [0, 1] in candidate_pairs(sketches, len(sketches)).tolist()


def test_what_many_share_makes_few_pairs_that_join_them_all():
    shared = np.arange(20, dtype=np.uint64) << np.uint64(50)
    pairs = candidate_pairs([shared] * 100, 100)
    assert len(pairs) <= 100 * NEXT
    reached = {0}
    for _ in range(100):
        reached |= {int(end) for pair in pairs for end in pair if reached & set(pair.tolist())}
    assert reached == set(range(100))


@pytest.mark.parametrize("takes", [1, 5, 20, 300])
def test_each_piece_meets_one_of_another_group_however_many_have_the_same_runs(takes):
    shared = np.arange(20, dtype=np.uint64) << np.uint64(50)
    groups = np.array([0] + [1] * takes)
    pairs = candidate_pairs([shared] * (takes + 1), takes + 1, groups)
    assert {*pairs[:, 0].tolist()} == {0} and {*pairs[:, 1].tolist()} == {*range(1, takes + 1)}


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_there_may_be_nothing_to_pair(count):
    empty = np.zeros(0, np.uint64)
    assert candidate_pairs([empty] * count, count).shape == (0, 2)
    own = [np.arange(9, dtype=np.uint64) + np.uint64(100 * index) for index in range(count)]
    assert candidate_pairs(own, count).shape == (0, 2)
    assert candidate_pairs([], 0).shape == (0, 2)
