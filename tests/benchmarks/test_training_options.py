"""What options do, measured on tiny runs in this process: the figures agree with each other, no run is made twice."""

import json
import sys

import pytest
import torch

ARGUMENTS = {
    "size": "tiny",
    "learning_size": "tiny",
    "models": "llama",
    "options": "plain,intra_document_masking",
    "optimizers": "AdamW",
    "max_pieces": 60,
    "timed_steps": 1,
    "repetitions": 1,
    "steps": 2,
    "seeds": "1",
    "learning_rates": "1e-3,1e-2",
}
MIB = 2**20


@pytest.fixture
def measure(load_benchmark, tmp_path, monkeypatch):
    """Runs the script and gives its result, and the tasks that were done."""
    script, runs, measuring = (load_benchmark(name) for name in ("training_options", "option_runs", "measuring"))
    tasks = []

    def run_here(path, task, environment):
        tasks.append(task)
        return measuring.FreshRun(runs.run_task(**task), 0.0, [0.0])

    monkeypatch.setattr(script, "run_fresh", run_here)
    monkeypatch.setattr(runs, "peak", lambda before: 3 * MIB)

    def measured(**changed):
        values = ARGUMENTS | {"work": tmp_path / "work", "output": tmp_path / "result.json"} | changed
        arguments = [text for name, value in values.items() for text in (f"--{name}", str(value))]
        monkeypatch.setattr(sys, "argv", ["training_options.py", *arguments])
        tasks.clear()
        script.main()
        return json.loads((tmp_path / "result.json").read_text())["parts"], list(tasks)

    return measured


def test_training_options(measure, tmp_path):
    found, tasks = measure()
    cost, learning, optimizers = (found[part]["llama"] for part in ("cost", "learning", "optimizers"))
    rows = cost["options"]
    assert cost["batch_tokens"] == 16 * 64
    for row in rows.values():
        speed = rows["plain"]["cpu_seconds"]["median"] / row["cpu_seconds"]["median"]
        assert row["speed_by_processor_time_to_plain"] == pytest.approx(speed, rel=1e-3)
        assert (row["memory_mib"], row["memory_to_plain"]) == (3, 1)
    learned = learning["options"]
    for kind, figures in learned["plain"].items():
        assert figures["mean"] == pytest.approx(figures["seeds"]["1"], rel=1e-4), kind
    apart = learned["intra_document_masking"]
    assert apart["nats_per_note"] == apart["nats_per_note_alone"] != learned["plain"]["nats_per_note"]
    row = optimizers["optimizers"]["AdamW"]
    assert row["tried"][row["learning_rate"]] == min(row["tried"].values()) == row["seeds"]["1"]
    assert set(row["curves"]) == set(row["seeds"]) == {"1"}
    assert (tmp_path / "result.png").stat().st_size > 10_000
    assert len(tasks) == 2 * 2 + 2 + 2
    assert measure() == (found, []), "no run is made twice"


def test_the_peak_is_what_was_taken_since(load_benchmark):
    runs = load_benchmark("option_runs")
    if not torch.cuda.is_available() and sys.platform != "linux":
        pytest.skip("Linux counts peaks of memory")
    before = runs.forget_peak()
    torch.ones(64 * MIB, dtype=torch.uint8)
    assert 60 * MIB < runs.peak(before) < 100 * MIB
