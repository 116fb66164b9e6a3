"""benchmarks/busy_machine.py: its ratios are those of its figures, and busy loops end with what they stand beside."""

import psutil
import pytest
from music import make_score


def test_figures(run_benchmark, tmp_path):
    for seed in range(3):
        make_score(seed, num_notes=300).dump_midi(tmp_path / f"piece-{seed}.mid")
    models = ("--continued", "tiny:1,tiny:2", "--trained", "tiny:1", "--steps", "1")
    options = ("--corpus", str(tmp_path), "--max_pieces", "16", "--repetitions", "1")
    result = run_benchmark("busy_machine", *models, *options)
    assert list(result["runs"]) == [
        "continuation, tiny, 1 rows", "continuation, tiny, 2 rows", "training step, tiny, 1 rows", "scoring a run",
    ]  # fmt: skip
    for row in result["runs"].values():
        for found in row.values():
            quiet, one, two = (found["milliseconds"][load]["median"] for load in "012")
            assert found["beside_1_to_quiet"] == pytest.approx(one / quiet, rel=1e-3)
            assert found["beside_2_to_quiet"] == pytest.approx(two / quiet, rel=1e-3)
    assert len(result["targets"]) == 7
    assert (tmp_path / "result.png").is_file()


def test_busy_loops_end_with_the_block(load_benchmark):
    with pytest.raises(ZeroDivisionError), load_benchmark("busy_machine").busy_loops(2):
        loops = psutil.Process().children()
        assert len([loop for loop in loops if "while True: pass" in loop.cmdline()]) == 2
        raise ZeroDivisionError
    assert not [loop for loop in psutil.Process().children() if "while True: pass" in loop.cmdline()]
