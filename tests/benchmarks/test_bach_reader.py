"""benchmarks/bach_reader.py: its figures agree with each other."""

import pytest


def test_figures(run_benchmark):
    result = run_benchmark("bach_reader", "--max_pieces", "12", "--repetitions", "1")
    assert result["settings"]["works"] == 12
    assert sum(result["building"]["pieces"].values()) == 12
    medians = [result["a_work"][name]["milliseconds"]["median"] for name in ("music21", "ours")]
    assert result["ratios"]["music21_to_ours_milliseconds"] == pytest.approx(medians[0] / medians[1], rel=1e-3)
    unequal, beyond, *_ = result["targets"].values()
    assert unequal["found"] == beyond["found"] == 0
