"""Samples share blocks, each of them whole, and little is left free."""

import datasets
import numpy as np
import pytest
from datasets import Dataset
from infilling.naive_samples import parted, unpacked

from neuromusic_hf.infilling.packing import best_fit, pack_samples
from neuromusic_hf.infilling.sample_dataset import SAMPLE_FEATURES, draw_samples, lengths_of


def rows_of(lengths):
    """Rows of samples of these lengths, each with ids of its own."""
    borders = np.cumsum([0, *lengths])
    ids = [list(range(start, end)) for start, end in zip(borders, borders[1:], strict=False)]
    columns = {"input_ids": ids, "asked": [1] * len(ids), "num_notes": [1] * len(ids), "num_programs": [0] * len(ids)}
    columns |= {"content_hash": ["a"] * len(ids), "left_out": [None] * len(ids)}
    return Dataset.from_dict(columns, features=SAMPLE_FEATURES)


def runs(blocks):
    """The samples of blocks of `rows_of`: as lists of ids that follow each other."""
    for block in blocks["input_ids"]:
        ids = np.asarray(block)
        yield from np.split(ids, np.flatnonzero(np.diff(ids) != 1) + 1)


@pytest.mark.parametrize("at_once", [7, 4096])
def test_each_chosen_sample_is_in_a_block_once_and_whole(at_once, monkeypatch, tmp_path):
    monkeypatch.setattr("neuromusic_hf.infilling.packing.SAMPLES_AT_ONCE", at_once)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    random = np.random.default_rng(0)
    samples = rows_of(random.integers(1, 65, 200))
    chosen = random.permutation(200)[:150]
    blocks = pack_samples(samples, chosen, 64)
    assert max(map(len, blocks["input_ids"][:])) <= 64
    found = sorted(int(index) for block in blocks["input_ids"] for index in block)
    assert found == sorted(index for row in samples.select(chosen)["input_ids"] for index in row)
    whole = {tuple(row) for row in samples.select(chosen)["input_ids"]}
    parts = [tuple(map(int, run)) for run in runs(blocks)]
    assert sum(run in whole for run in parts) > 0.9 * len(parts)  # but for those whose neighbour follows by chance


def test_the_longest_come_first_and_go_where_the_least_room_is_left():
    assert best_fit(np.array([5, 7, 3, 2, 2, 6]), 10) == [[1, 2], [5, 3, 4], [0]]


def test_little_is_left_free():
    random = np.random.default_rng(1)
    lengths = np.where(random.random(3000) < 0.7, random.integers(900, 1025, 3000), random.integers(100, 1025, 3000))
    blocks = best_fit(lengths, 1024)
    assert sorted(index for block in blocks for index in block) == list(range(3000))
    assert all(lengths[block].sum() <= 1024 for block in blocks)
    assert 1 - lengths.sum() / (1024 * len(blocks)) < 0.1


def test_blocks_of_music_hold_its_samples(processor_of, pieces):
    processor = processor_of("REMI BPE")
    samples = draw_samples(pieces, processor, 512)
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(lengths_of(samples)))
    blocks = pack_samples(samples, chosen, 512)
    found = unpacked(blocks, processor)
    assert sorted(found) == sorted(samples.select(chosen)["input_ids"][:])
    assert all(parted(ids, processor)["middle"] for ids in found)
    assert found != sorted(found)
    assert 1 - sum(map(len, found)) / (512 * len(blocks)) < 0.15


def test_seeds_have_other_orders(tmp_path):
    samples, chosen = rows_of([3, 4, 5, 6] * 20), np.arange(80)
    first, again, other = (pack_samples(samples, chosen, 16, seed=seed)["input_ids"][:] for seed in (0, 0, 1))
    assert [ids.tolist() for ids in first] == [ids.tolist() for ids in again] != [ids.tolist() for ids in other]
