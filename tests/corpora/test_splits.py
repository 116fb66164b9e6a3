import hashlib

import pytest

from neuromusic_hf.corpora import SPLIT_NAMES, split_of
from neuromusic_hf.corpora.splits import assign_split, check_not_empty, check_shares

HASHES = [hashlib.md5(str(index).encode()).hexdigest() for index in range(3000)]


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.01, 0.01, 0.98)])
def test_splits_have_their_shares(shares):
    found = [split_of(content_hash, shares) for content_hash in HASHES]
    for name, share in zip(SPLIT_NAMES, shares, strict=True):
        assert found.count(name) / len(found) == pytest.approx(share, abs=0.03)


def test_the_ends_of_the_range_have_a_split():
    assert split_of("0" * 32) == "train"
    assert split_of("f" * 32) == "test"


def test_missing_splits_are_carved_out_of_train_only():
    carved = [assign_split(content_hash, "train", (0.8, 0.1, 0.1), ("validation",)) for content_hash in HASHES]
    assert carved.count("validation") / len(carved) == pytest.approx(1 / 9, abs=0.02)
    assert "test" not in carved
    assert {assign_split(one, "test", (0.8, 0.1, 0.1), ("validation",)) for one in HASHES} == {"test"}


@pytest.mark.parametrize("shares", [(0.8, 0.2), (0.8, 0.1, 0.2), (0.9, 0.1, 0.0), (1.2, -0.1, -0.1)])
def test_shares_that_make_no_sense_are_refused(shares):
    with pytest.raises(ValueError, match="split_shares"):
        check_shares(shares)


def test_an_empty_split_is_named():
    with pytest.raises(ValueError, match=r"'mine': the split validation would be empty. There are 9 accepted"):
        check_not_empty({"train": 8, "validation": 0, "test": 1}, "mine")
