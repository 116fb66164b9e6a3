"""Runs the benchmarks at tiny sizes, in forks in place of fresh processes. No times are judged."""

import importlib
import json
import sys
from pathlib import Path

import pytest
from preloaded import run_script

ROOT = Path(__file__).parents[2]
BOUNDS = {"at_least": lambda found, bound: found >= bound, "at_most": lambda found, bound: found <= bound}
BOUNDS["below"] = lambda found, bound: found < bound


@pytest.fixture
def run_benchmark(tmp_path):
    """Runs a script and returns its result, in which what all results have is checked."""

    def run(name: str, *options: str, result_file: str = "result.json") -> dict:
        script, output = ROOT / "benchmarks" / f"{name}.py", tmp_path / "result.json"
        done = run_script(
            script, "--output", str(output), *options, folder=tmp_path, variables={"OMP_NUM_THREADS": "1"}
        )
        assert done.returncode == 0, done.stderr
        result = json.loads((tmp_path / result_file).read_text())
        assert result["benchmark"] == name
        assert {"date", "machine", "versions"} <= set(result)
        assert result["machine"]["cores"] and result["machine"]["memory_gib"]
        assert str(tmp_path) not in json.dumps(result)
        check_figures(result)
        return result

    return run


def check_figures(figures):
    """Medians lie between least and largest, and targets are met or not as their bounds say."""
    if isinstance(figures, list):
        figures = dict(enumerate(figures))
    if not isinstance(figures, dict):
        return
    if "median" in figures:
        assert 0 <= figures["min"] <= figures["median"] <= figures["max"]
    if "met" in figures:
        [bound] = BOUNDS.keys() & figures
        assert figures["met"] == BOUNDS[bound](figures["found"], figures[bound])
    for part in figures.values():
        check_figures(part)


@pytest.fixture
def load_benchmark(monkeypatch):
    """Imports a script by its name."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")

    def load(name: str):
        if getattr(sys.modules.get(name), "__file__", None) is None:  # a folder of tests that has its name
            monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load
