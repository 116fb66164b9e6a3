"""The benchmark that holds the encoder against miditok, on a few files: all are counted, and differences named."""

import sys
import zipfile

import numpy as np
import pytest
from music import make_score
from symusic import Tempo

from neuromusic_hf.tokenization import MidiProcessor
from neuromusic_hf.tokenization.arrays import Rows


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "few.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for seed in range(4):
            archive.writestr(f"{seed}.mid", make_score(seed, 40).dumps_midi())
        archive.writestr("4.mid", b"no music")
    return path


def test_all_files_and_drawn_scores_are_equal(corpus, run_benchmark, tmp_path):
    given = ("encoder_proof", str(corpus), "--drawn", "5", "--variants_every", "2")
    result = run_benchmark(*given)
    checks = [f"{name}{check}" for name in ("REMI", "TSD", "Structured") for check in ("", ", variants", ", BPE")]
    for name, files, drawn in zip(checks, (5, 3, 1) * 3, (5, 3, 1) * 3, strict=True):
        found = result["corpora"]["few.zip"][name], result["corpora"]["drawn"][name]
        refused = 0 if name.endswith("BPE") else 1
        assert [each["files"] for each in found] == [files, drawn]
        assert [each["equal"] for each in found] == [files - refused, drawn]
        assert all(each["left"] == {} for each in found)
        assert found[0].get("refused", 0) == refused and found[1]["named"] == []
    assert all(each["met"] for each in result["targets"].values()) and len(result["targets"]) == 36


def test_it_goes_on_by_the_same_code_and_settings_alone(corpus, load_benchmark, monkeypatch, tmp_path, capsys):
    proof, output = load_benchmark("encoder_proof"), tmp_path / "result.json"
    measured = []
    measure = proof.measure
    monkeypatch.setattr(proof, "measure", lambda *given: measured.append(given[2]) or measure(*given))

    def run(*more):
        measured.clear()
        given = ["encoder_proof", str(corpus), "--tokenizations", "TSD", "--output", str(output), *more]
        monkeypatch.setattr(sys, "argv", given)
        proof.main()
        return len(measured)

    assert run() == 3
    assert run("--resume") == 0
    with pytest.raises(SystemExit):
        run("--resume", "--every", "2")
    assert "was made with other every" in capsys.readouterr().err
    monkeypatch.setattr(proof, "code_of_rooms", lambda *rooms: ("another",))
    with pytest.raises(SystemExit):
        run("--resume")
    assert "was made with other code" in capsys.readouterr().err


def test_a_difference_is_counted_and_named(load_benchmark, monkeypatch):
    proof = load_benchmark("encoder_proof")
    comparison = proof.Comparison(MidiProcessor.from_tokenization("REMI"))
    monkeypatch.setattr(Rows, "flat", lambda self: np.zeros(3, np.int32))
    found = proof.measure(comparison, [("a piece", make_score(0, 40)), ("another", None)], "")
    assert found["differs"] == 1 and found["refused"] == 1 and found["named"] == ["a piece: differs: ids"]


def test_what_is_left_to_miditok_is_counted_by_its_reason(load_benchmark):
    proof = load_benchmark("encoder_proof")
    comparison = proof.Comparison(MidiProcessor.from_tokenization("REMI"))
    score = make_score(0, 40)
    score.tempos = [Tempo(64, 100), Tempo(0, 80)]
    found = proof.measure(comparison, [("a piece", score)], "")
    assert found["left to miditok"] == 1
    assert found["left"] == {"notes or tempos are out of order, or begin before 0": 1}
