"""The benchmark of starting, on its own code as the earlier one."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def test_it_measures_both_checkouts(load_benchmark, monkeypatch, tmp_path):
    startup = load_benchmark("startup")
    monkeypatch.setattr(startup, "TASKS", {"package": startup.TASKS["package"], "load_corpus": "import numpy"})
    monkeypatch.setattr(startup, "PEERS", {"datasets": ""})
    startup.write_pieces(tmp_path / "midi", 3)
    runs = startup.measure({"now": REPOSITORY, "before": REPOSITORY}, tmp_path, 1)
    helps = {f"{path.stem} --help" for path in (REPOSITORY / "scripts").glob("*.py")}
    assert set(runs["now"]) == {"package", "load_corpus", *helps}
    assert set(runs["before"]) == set(runs["now"]) - {"build_numeral_table --help"}
    runs["now"]["cached_corpus"] = runs["now"]["load_corpus"]
    found = startup.ratios(runs)
    before, now = (runs[side]["package"]["median"] for side in ("before", "now"))
    assert found["package_before_to_now"] == pytest.approx(before / now) and found["load_corpus_to_datasets"] > 0
    slowest = max(run["median"] for name, run in runs["now"].items() if "--help" in name)
    judged = startup.judge(runs, found)
    assert judged["slowest_help_cpu_seconds"]["found"] == slowest
    assert judged["load_corpus_to_datasets"]["found"] == found["load_corpus_to_datasets"]


def test_a_process_that_fails_is_no_figure(load_benchmark):
    startup = load_benchmark("startup")
    with pytest.raises(RuntimeError, match="ended with 3"):
        startup.cpu_seconds([startup.sys.executable, "-c", "raise SystemExit(3)"], REPOSITORY)
