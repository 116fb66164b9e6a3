"""The proof of the decoder on a few pieces: nothing differs, and what would differ is counted and named."""

import numpy as np
from music import make_score

from neuromusic_hf.tokenization import MidiProcessor


def test_nothing_differs(run_benchmark, midi_folder):
    result = run_benchmark(
        "decoder_proof", f"mine={midi_folder}", "--every", "10", "--drawn", "20", "--learned", "20",
        "--tokenizations", "REMI,TSD",
    )  # fmt: skip
    assert list(result["decoded"]) == ["REMI", "REMI BPE", "TSD", "TSD BPE"]
    for figures in result["decoded"].values():
        assert figures["drawn"]["sequences"] == 20 and figures["drawn"]["differing"] == 0
        assert figures["mine"]["sequences"] == 4 and figures["mine"]["first_differing"] == []
    assert [entry["found"] for entry in result["targets"].values()] == [0]


def test_a_difference_is_named(load_benchmark, monkeypatch):
    proof = load_benchmark("decoder_proof")
    processor = MidiProcessor.from_tokenization("TSD")
    both = proof.BothDecoders(processor)
    decode = both.arrays.decode
    monkeypatch.setattr(both.arrays, "decode", lambda ids: decode(ids[:-4]))
    ids = processor.encode(make_score(0), add_bos=False)
    both.decode(np.array(ids))
    figures = both.figures()
    assert figures["differing"] == 1 and figures["first_differing"] == [ids]
    differing, ratio = proof.judge({"TSD": {"maestro": figures}}).values()
    assert differing["found"] == 1 and not differing["met"] and ratio["found"] == figures["ratio"]
