"""The suffix array finds what sorting and searching by hand find."""

import numpy as np
import pytest
from copying.naive_runs import naive_lengths

from neuromusic_hf.copying import SuffixArray


def drawn(symbols: int, random: np.random.Generator) -> list[np.ndarray]:
    sequences = [random.integers(0, symbols, random.integers(0, 40)).astype(np.int32) for _ in range(4)]
    return [*sequences, sequences[0]]


@pytest.mark.parametrize("symbols", [1, 2, 5, 1000])
def test_suffix_array_equals_sorting_and_searching_by_hand(symbols):
    random = np.random.default_rng(symbols)
    for _ in range(40):
        sequences = drawn(symbols, random)
        suffixes = SuffixArray(sequences)
        text = suffixes.text.tolist()
        assert suffixes.order.tolist() == sorted(range(len(text)), key=lambda start: text[start:])
        query = random.integers(0, symbols + 1, random.integers(0, 30)).astype(np.int32)
        expected = naive_lengths([row.tolist() for row in sequences], query.tolist())
        assert suffixes.match_lengths(query).tolist() == expected


@pytest.mark.parametrize("symbols", [1, 2, 5, 131_072])
def test_a_run_is_found_where_it_stands_and_with_what_follows_it(symbols):
    random = np.random.default_rng(symbols)
    for _ in range(20):
        sequences = drawn(symbols, random)
        suffixes, text = SuffixArray(sequences), np.concatenate([[-1], *([*row, -1] for row in sequences)]).tolist()
        drawn_runs = [random.integers(0, symbols, length).tolist() for length in (1, 2, 3)]
        for run in [[], *drawn_runs, *(sequences[1][:length].tolist() for length in (1, 2, 7))]:
            length = len(run)
            low, high = suffixes.find(run)
            starts = [start for start in range(1, len(text)) if text[start : start + length] == run]
            assert sorted(suffixes.order[low:high].tolist()) == [start - 1 for start in starts]
            followers = {text[start + length] for start in starts if start + length < len(text)} - {-1}
            if low < high:
                assert suffixes.followers(low, high, length).tolist() == sorted(followers)
