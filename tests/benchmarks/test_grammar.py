"""benchmarks/grammar.py end to end: what the grammar lets through is sound, and what it does not would not be."""

import pytest

SIZES = {"vocab_size": 1000, "max_pieces": 5}


@pytest.fixture
def run_part(run_benchmark):
    def run(part, **sizes):
        options = [f"--{name}={value}" for name, value in (SIZES | sizes).items()]
        return run_benchmark(
            "grammar", f"--parts={part}", "--tokenizations=TSD", *options, result_file=f"result_{part}.json"
        )

    return run


def test_proof(run_part):
    result = run_part("proof", tokens=600, length=64)
    assert set(result["proof"]) == {"TSD_plain", "TSD_BPE"}
    for row in result["proof"].values():
        assert row["unconstrained"]["errors"] > 0
        for kind in ("grammar", "ascending_without_chords"):
            assert row[kind]["tokens"] >= 600
            assert row[kind]["errors"] == 0 and row[kind]["same_music"] == 1
        assert row["ascending_without_chords"]["same_tokens"] == 1
    assert all(target["met"] for target in result["targets"].values())


def test_cost(run_part):
    result = run_part("cost", steps=2, repetitions=1)
    assert set(result["cost"]) == {f"TSD_{name}_{model}" for name in ("plain", "BPE") for model in ("gpt2", "llama")}
    for row in result["cost"].values():
        assert row["share_of_a_step"]["min"] > 0 and row["share_with_masks"]["min"] > 0
