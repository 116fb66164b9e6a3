"""benchmarks/busy_machine.py: its ratios are those of its figures, and busy loops end with what they stand beside."""

import contextlib
import json
import os
import sys
from types import SimpleNamespace
from unittest import mock

import psutil
import pytest
from music import make_score


@pytest.fixture
def benchmark(load_benchmark, monkeypatch):
    """The program with its tasks done in this process, beside nothing; and what each was told."""
    module, told = load_benchmark("busy_machine"), []

    def do_here(script, task, environment):
        told.append((task["kind"], environment, task.get("num_proc")))
        return SimpleNamespace(result=json.loads(json.dumps(module.run_task(**task))))

    monkeypatch.setattr(module, "run_fresh", do_here)
    monkeypatch.setattr(module, "busy_loops", contextlib.nullcontext)
    with mock.patch.dict(os.environ):
        yield module, told


def test_figures(benchmark, monkeypatch, tmp_path):
    module, told = benchmark
    for seed in range(3):
        make_score(seed, num_notes=300).dump_midi(tmp_path / f"piece-{seed}.mid")
    models = ("--continued", "tiny:1,tiny:2", "--trained", "tiny:1", "--steps", "1")
    options = ("--corpus", str(tmp_path), "--max_pieces", "8", "--output", str(tmp_path / "result.json"))
    monkeypatch.setattr(sys, "argv", ["busy_machine.py", *models, *options])
    module.main()
    assert told == [
        *(("continuation", variables, None) for variables in module.WAYS["continuation"].values()),
        *(("training", variables, None) for variables in module.WAYS["training"].values()),
        ("scoring", {}, None), ("scoring", {}, 1),
    ]  # fmt: skip
    result = json.loads((tmp_path / "result.json").read_text())
    assert list(result["runs"]) == [
        "continuation, tiny, 1 rows", "continuation, tiny, 2 rows", "training step, tiny, 1 rows", "scoring a run",
    ]  # fmt: skip
    for row in result["runs"].values():
        for found in row.values():
            quiet, one, two = (found["milliseconds"][load]["median"] for load in "012")
            assert found["beside_1_to_quiet"] == pytest.approx(one / quiet, rel=1e-3)
            assert found["beside_2_to_quiet"] == pytest.approx(two / quiet, rel=1e-3)
        ours, peer = (row[way]["milliseconds"]["0"]["median"] for way in ("ours", "all threads"))
        assert row["ours"]["quiet_to_all_threads"] == pytest.approx(ours / peer, rel=1e-3)
    assert len(result["targets"]) == 8
    assert (tmp_path / "result.png").is_file()


def test_busy_loops_end_with_the_block(load_benchmark):
    with pytest.raises(ZeroDivisionError), load_benchmark("busy_machine").busy_loops(2):
        loops = psutil.Process().children()
        assert len([loop for loop in loops if "while True: pass" in loop.cmdline()]) == 2
        raise ZeroDivisionError
    assert not [loop for loop in psutil.Process().children() if "while True: pass" in loop.cmdline()]
