"""The benchmark of the first note, without building a wheel."""

import sys
from pathlib import Path

import pytest


def test_it_marks_what_a_process_does(load_benchmark, tmp_path, monkeypatch):
    first_note = load_benchmark("first_note")
    monkeypatch.setenv("PYTHONPATH", "nowhere")
    ways = {"continue": first_note.CONTINUE, "quick": 'mark("end")\nprint(json.dumps(marks))'}
    monkeypatch.setattr(first_note, "alternating", lambda names, repetitions: [(0, name) for name in names])
    found = first_note.measure(Path(sys.executable), tmp_path, 1, ways={"quick": ways["quick"], **ways})
    marks = found["seconds"]["continue"]
    assert 0 < marks["imported"]["median"] < marks["loaded"]["median"] < marks["first note"]["median"]
    assert marks["first note"]["median"] <= marks["end"]["median"] and marks["cpu"]["median"] > 0
    assert found["very_first"].keys() == {"end", "cpu"}


def test_a_process_that_asks_for_the_network_is_no_figure(load_benchmark, tmp_path):
    first_note = load_benchmark("first_note")
    with pytest.raises(RuntimeError, match="ended with 1"):
        first_note.timed(Path(sys.executable), tmp_path, 'socket.create_connection(("127.0.0.1", 9))')
