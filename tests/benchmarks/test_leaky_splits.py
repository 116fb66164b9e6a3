"""benchmarks/leaky_splits.py measures models on all test pieces, on those without a twin in train, and on twins."""

import json
import sys

import numpy as np
import pytest
import torch

from neuromusic_hf.training import row_statistics
from neuromusic_hf.twins import Twin

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture
def benchmark(load_benchmark, monkeypatch):
    module = load_benchmark("leaky_splits")
    monkeypatch.setattr(module, "SIZES", SIZES)
    monkeypatch.setattr(module, "CONTEXT_LENGTH", 32)
    monkeypatch.setattr(module, "LONGEST_NGRAM", 8)
    monkeypatch.setattr(module, "NETWORKS", {"GPT-2": "gpt2"})
    return module


@pytest.fixture
def two_leak(benchmark, monkeypatch):
    """The first two pieces of train and of test are a family; two other pieces of train are twins."""

    def found(parts, **how):
        train = len(parts[0])
        pairs = [(0, train), (1, train), (1, train + 1), (2, 3)]
        return [Twin(first, second, 40, 0.9, 0) for first, second in pairs]

    monkeypatch.setattr(benchmark, "twins_of", found)


def test_sets_of_test_pieces_and_models_that_saw_their_twins_or_not(
    benchmark, two_leak, midi_folder, tmp_path, capsys, monkeypatch
):
    output = tmp_path / "result.json"
    setups = ("hash", "hash without twins")
    command = ["leaky_splits", midi_folder, "--setups", *setups, "--steps", 1, "--batch_size", 2, "--num_proc", 1]
    monkeypatch.setattr(sys, "argv", [*map(str, command), "--runs", str(tmp_path), "--output", str(output)])
    benchmark.main()
    [by_setup] = json.loads(output.read_text())["corpora"].values()
    assert list(by_setup) == list(setups)
    leaky, cleaned = by_setup.values()
    assert leaky["train"]["pieces"] == cleaned["train"]["pieces"] + 2
    assert {"8-gram", "n-gram", "n-gram and copying"} | set(benchmark.NETWORKS) == set(leaky["models"])
    for entry in (leaky, cleaned):
        whole, clean, twins = (entry["test"][which] for which in ("whole", "clean", "twins"))
        assert twins["pieces"] == 2 and clean["pieces"] + 2 == whole["pieces"] > 2
        assert set(whole["models"]) == set(whole["order"]) == set(entry["models"])
        for model, found in whole["models"].items():
            parts = [part["models"][model]["nats_per_note"] * part["notes"] for part in (clean, twins)]
            assert found["nats_per_note"] * whole["notes"] == pytest.approx(sum(parts), rel=1e-3)
    whole = leaky["test"]["whole"]["models"]["GPT-2"]["nats_per_note"]
    printed = capsys.readouterr().out
    assert "| hash: twins | 2 |" in printed and f"{whole:.3f} nats per note" in printed
    assert output.with_suffix(".png").stat().st_size > 1000

    def trained(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(benchmark, "train_network", trained)
    sys.argv.remove(setups[1])
    benchmark.main()
    assert json.loads(output.read_text())["corpora"] == {midi_folder.name: {"hash": leaky}}


def test_every_token_is_predicted_once_from_half_a_context_or_more(benchmark, tiny_model):
    length = 64
    model = tiny_model("REMI", context_length=length)
    draw = np.random.default_rng(0)
    texts = [draw.integers(4, 500, size) for size in (2, 40, 64, 65, 150, 96, 97)]
    for ids in texts:
        windows = benchmark.windows_of(len(ids), length)
        assert [place for _, new, end in windows for place in range(new, end)] == list(range(1, len(ids)))
        assert all(end - begin <= length and (begin == 0 or new - begin >= length // 2) for begin, new, end in windows)
    naive = []
    for ids in texts:
        labels = torch.from_numpy(ids)[None]
        total = 0.0
        for begin, new, end in benchmark.windows_of(len(ids), length):
            with torch.no_grad():
                logits = model(input_ids=labels[:, begin:end]).logits
            total += row_statistics(logits[:, new - begin - 1 :], labels[:, new - 1 : end])[0, 0].item()
        naive.append(total)
    np.testing.assert_allclose(benchmark.network_nats(model, texts, rows=3), naive, rtol=1e-5)


def test_models_are_in_order_with_how_sure_that_is(benchmark):
    draw = np.random.default_rng(0)
    notes = draw.integers(50, 200, 40)
    base = 3.0 * notes + draw.normal(0, 20, 40)
    nats = {"worse": base + 0.5 * notes, "better": base, "about as good": base + draw.normal(0, 5, 40)}
    found = benchmark.compare(nats, notes)
    assert found["pieces"] == 40 and found["notes"] == notes.sum() and found["order"][-1] == "worse"
    for model, entry in found["models"].items():
        assert entry["nats_per_note"] == pytest.approx(nats[model].sum() / notes.sum())
        assert entry["interval"][0] < entry["nats_per_note"] < entry["interval"][1]
    close, clear, _ = found["leads"].values()
    assert close["interval"][0] < 0 < close["interval"][1]
    assert clear["nats_per_note"] == pytest.approx(0.5, abs=0.02) and clear["interval"][0] > 0.4
