"""Parquet files parted into what a stream reads at once."""

from pathlib import Path

import pytest
from datasets import Dataset

from neuromusic_hf.corpora import load_corpus, stretches
from neuromusic_hf.corpora.stretches import stretches_of


@pytest.fixture
def files(tmp_path):
    """Two files of 100 and of 30 rows, in row groups of 20."""
    paths = [str(tmp_path / f"{name}.parquet") for name in ("long", "short")]
    for path, count in zip(paths, (100, 30), strict=True):
        Dataset.from_dict({"number": list(range(count))}).to_parquet(path, batch_size=20)
    return paths


def groups_of(files):
    return [(Path(each.file).name, each.groups) for each in stretches_of(files).items]


def test_a_stretch_has_so_many_rows_and_no_row_group_is_parted(files, monkeypatch):
    assert groups_of(files) == [("long.parquet", (0, 1, 2, 3)), ("long.parquet", (4,)), ("short.parquet", (0, 1))]
    monkeypatch.setattr(stretches, "FEWEST_ROWS", 1)
    assert [groups for _, groups in groups_of(files)] == [(0,), (1,), (2,), (3,), (4,), (0,), (1,)]
    monkeypatch.setattr(stretches, "MOST_STRETCHES", 3)
    assert [groups for _, groups in groups_of(files)] == [(0, 1, 2), (3, 4), (0, 1)]
    monkeypatch.setattr(stretches, "MOST_STRETCHES", 1)
    assert groups_of(files) == [("long.parquet", None), ("short.parquet", None)]


def test_what_it_is_known_by_changes_with_names_and_row_groups(files, tmp_path):
    known = stretches_of(files).content
    Dataset.from_dict({"number": list(range(30))}).to_parquet(files[1], batch_size=30)
    assert stretches_of(files).content != known != stretches_of(files[:1]).content


def test_a_file_that_is_cut_off_is_refused_when_the_stream_is_opened(tmp_path, make_midi):
    midi = [{"bytes": make_midi(seed), "path": f"{seed}.mid"} for seed in range(4)]
    for number in range(2):
        Dataset.from_dict({"midi": midi}).to_parquet(tmp_path / f"train-{number:05d}-of-00002.parquet")
    path = tmp_path / "train-00001-of-00002.parquet"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match="train-00001-of-00002.parquet' is not whole Parquet"):
        load_corpus(tmp_path, streaming=True)
