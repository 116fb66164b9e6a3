"""benchmarks/default_bundle.py judges a bundle and n-grams on the same clean pieces, and its figures agree."""

import json
import sys

import numpy as np
import pytest
import torch
from music import make_score
from PIL import Image
from tiny import ONE_LAYER

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.bundles import save_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pieces of which the other corpus has none."""
    folder = tmp_path_factory.mktemp("pieces")
    for seed in range(100, 140):
        make_score(seed).dump_midi(folder / f"piece-{seed}.mid")
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    torch.manual_seed(1)
    processor = MidiProcessor.from_tokenization("REMI")
    folder = tmp_path_factory.mktemp("bundle")
    save_bundle(build_model("llama", processor, context_length=256, **ONE_LAYER), processor, folder)
    return folder


@pytest.fixture
def judge(load_benchmark, call_script, monkeypatch, bundle, leaking_corpus, folder, tmp_path):
    """Runs the benchmark with these options, and returns its result."""
    module = load_benchmark("default_bundle")
    monkeypatch.setattr(load_benchmark("bundle_continuations"), "call", lambda *given: call_script(*map(str, given)))
    monkeypatch.setattr(load_benchmark("bundle_nats"), "LONGEST_NGRAM", 9)

    def run(*options: str) -> dict:
        places = ("--work", str(tmp_path / "work"), "--output", str(tmp_path / "judged.json"))
        sizes = ("--max_items", "8", "--length", "48", "--batch_size", "4", "--num_proc", "1", "--ngrams", "3")
        corpora = (str(leaking_corpus), str(folder))
        monkeypatch.setattr(
            sys, "argv", ["default_bundle.py", *corpora, "--bundle", str(bundle), *sizes, *places, *options]
        )
        module.main()
        return json.loads((tmp_path / "judged.json").read_text())

    return run


def test_figures(judge, tmp_path, capsys):
    found = judge("--variants", "0", "1", "--samplings", "0.5,0.9", "--sampled", "4")
    leaking, other = found["settings"]["corpora"]
    both = f"{leaking}+{other}"
    nats = found["nats"]["test"]
    assert list(nats) == [leaking, other, both] and nats[leaking]["pieces"] == 4  # two of six have a twin in train
    for model, entry in nats[both]["models"].items():
        sums = [nats[name]["models"][model]["nats_per_note"] * nats[name]["notes"] for name in (leaking, other)]
        assert entry["nats_per_note"] * nats[both]["notes"] == pytest.approx(sum(sums), rel=1e-3)
    for chosen in found["nats"]["counting"].values():
        for facts in chosen.values():
            assert facts["variants"] in (0, 1) and facts["validation"] > 0
        assert chosen["n-gram"]["validation"] == pytest.approx(min(chosen["n-gram"]["by_n"].values()))
    for run in (found["bundle"], found["ngrams"]["3-gram"]):
        left_out = run["pieces"].get("twin_in_train", 0)
        assert run["pieces"]["continued"] + left_out == 8
        assert sum(each["pieces"] for each in run["corpora"].values()) == run["pieces"]["continued"]
        assert run["token_errors"]["errors"] == 0 and run["lengths"]["original_tokens"] == 48
        means = [each["novelty_generated"] * each["pieces"] for each in run["corpora"].values()]
        assert run["novelty"]["mean_generated"] * run["pieces"]["continued"] == pytest.approx(sum(means), rel=1e-3)
        for score in run["scores"].values():
            assert score["score"] >= 0 and score["num_pieces"] <= run["pieces"]["continued"]
    [[sampled, tried]] = found["sampling"].items()
    assert sampled == "0.5,0.9" and (tried["sampling"]["temperature"], tried["sampling"]["top_p"]) == (0.5, 0.9)
    assert tried["pieces"] == {"continued": 4}
    assert found["bundle"]["sampling"] == found["ngrams"]["3-gram"]["sampling"]
    assert {"token errors", "pieces continued"} <= set(found["targets"])
    shown = [name for names in found["rolls"].values() for name in names]
    assert len(shown) == len(set(shown)) == found["bundle"]["pieces"]["continued"]
    for sheet in found["rolls"]:
        assert np.asarray(Image.open(tmp_path / sheet).convert("L")).std() > 0
    assert "| 3-gram |" in capsys.readouterr().out


def test_what_is_done_is_kept_for_the_same_weights(judge, load_benchmark, monkeypatch):
    first = judge("--parts", "nats", "--max_pieces", "2")
    assert (
        set(first) & {"bundle", "ngrams", "rolls"} == set()
        and first["nats"]["test"][first["settings"]["corpora"][0]]["pieces"] == 2
    )
    for work in ("network_nats", "count_and_predict"):
        monkeypatch.setattr(load_benchmark("bundle_nats"), work, None)
    assert judge("--parts", "nats", "--max_pieces", "2")["nats"] == first["nats"]
