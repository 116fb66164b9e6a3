"""benchmarks/vocabularies.py encodes, trains and measures one tokenizer with two settings."""

from types import SimpleNamespace

import pytest
from tokenization.sample_scores import build_score, random_score

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture
def benchmark(load_benchmark, monkeypatch):
    long_notes = build_score(480, [(0, [(0, 60, 10, 64), (0, 60, 60, 64)])], meters=((0, 3, 2),))
    rows = [{"midi": score} for score in (long_notes, random_score(0), random_score(1))]
    monkeypatch.setattr("neuromusic_hf.load_corpus", lambda name, **how: {"train": rows, "validation": rows})
    module = load_benchmark("vocabularies")
    monkeypatch.setattr(module, "MODEL", SIZES)
    return module


def test_the_settings_of_before_lose_what_those_of_now_keep(benchmark, tmp_path, capsys):
    args = SimpleNamespace(
        device="cpu", steps=2, batch_size=2, seed=0, excerpt_notes=8, corpora=["songs"], max_pieces=3, encoded=tmp_path
    )
    figures = {}
    for name in (benchmark.BEFORE, benchmark.DEFAULT):
        benchmark.encode_case(args, "TSD", name)
        figures[name] = benchmark.measure(args, benchmark.load_case(tmp_path, "TSD", name))
        benchmark.print_row("TSD", name, figures[name], 1.0)
    before, now = (entry["corpora"]["songs"] for entry in figures.values())
    assert before["share_of_sounding_time_lost"] > 0.3 and now["share_of_sounding_time_lost"] == 0
    assert before["changed"]["meters_replaced"] == 2 and "meters_replaced" not in now["changed"]
    assert 10 < now["nats_per_note"] < 60 and figures[benchmark.DEFAULT]["ids"] == 844
    benchmark.plot({"TSD": figures}, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 1000 and "nats a note" in capsys.readouterr().out
