"""benchmarks/infill_grammar.py end to end: what is drawn under the grammar of middles fills its span."""

import pytest

SIZES = {"vocab_size": 1000, "max_pieces": 4, "tokenizations": "TSD"}


@pytest.fixture
def run_part(run_benchmark):
    def run(part, **sizes):
        options = [f"--{name}={value}" for name, value in (SIZES | sizes).items()]
        return run_benchmark("infill_grammar", f"--parts={part}", *options, result_file=f"result_{part}.json")

    return run


def test_proof(run_part):
    result = run_part("proof", tokens=500, length=24)
    assert set(result["proof"]) == {"TSD_plain", "TSD_BPE"}
    for row in result["proof"].values():
        assert row["tokens"] >= 500 and row["notes"] > 0 and row["real_ids"] > 0
        assert 0 < row["exact"] == row["ended"] == row["middles"] and row["too_long_cuts"] >= 0
        assert 0 < row["same_music"] == row["encoded_again"]
        assert row["errors"] == row["notes_outside"] == row["real_illegal"] == 0
    assert all(target["met"] for target in result["targets"].values())


def test_cost(run_part):
    result = run_part("cost", steps=3, repetitions=1, vocabularies="plain")
    assert set(result["cost"]) == {"TSD_plain"}
    assert all(times["min"] > 0 for times in result["cost"]["TSD_plain"]["milliseconds"].values())
    assert result["cost"]["TSD_plain"]["step_to_step"] > 0
