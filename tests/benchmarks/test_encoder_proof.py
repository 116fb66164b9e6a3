"""The benchmark that holds the encoder against miditok, on a few files: all are counted, and differences named."""

import zipfile

import numpy as np
import pytest
from music import make_score

from neuromusic_hf.tokenization.arrays import Rows


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "few.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for seed in range(4):
            archive.writestr(f"{seed}.mid", make_score(seed, 40).dumps_midi())
        archive.writestr("4.mid", b"no music")
    return path


def test_all_files_and_drawn_scores_are_equal(corpus, run_benchmark):
    result = run_benchmark("encoder_proof", str(corpus), "--drawn", "5", "--tokenizations", "REMI,TSD")
    for tokenization in ("REMI", "TSD"):
        files, drawn = (result["corpora"][name][tokenization] for name in ("few.zip", "drawn"))
        assert files["equal"] == 4 and files["refused"] == 1 and files["files"] == 5
        assert drawn["equal"] == drawn["files"] == 5 and drawn["named"] == []
    assert all(each["met"] for each in result["targets"].values()) and len(result["targets"]) == 4


def test_a_difference_is_counted_and_named(load_benchmark, monkeypatch):
    proof = load_benchmark("encoder_proof")
    comparison = proof.Comparison("REMI")
    monkeypatch.setattr(Rows, "flat", lambda self: np.zeros(3, np.int32))
    found = proof.measure(comparison, [("a piece", make_score(0, 40)), ("another", None)], "")
    assert found["differs"] == 1 and found["refused"] == 1 and found["named"] == ["a piece: differs: ids"]
