"""Committed results are judged as the scripts judge now: by the same targets, with the same bounds."""

import json
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def judged(module, result):
    """What a script asks of the figures of its result."""
    settings = result["settings"]
    if module.__name__ == "tokenize_corpus":
        return module.judge(result["runs"], result["ratios"], settings["corpus"], settings["pieces"])
    if module.__name__ == "startup":
        return module.judge(result["cpu_seconds"], result["ratios"])
    if module.__name__ == "bach_reader":
        return module.judge(result["building"], result["ratios"], all_works=True)
    return module.make_targets(result["runs"])


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("tokenize_corpus", "tokenize_corpus"),
        ("tokenize_corpus", "tokenize_corpus_lamd"),
        ("startup", "startup"),
        ("bach_reader", "bach_reader"),
        ("busy_machine", "busy_machine"),
    ],
)
def test_targets_of_results_are_those_of_scripts(script, name, load_benchmark):
    result = json.loads((RESULTS / f"{name}.json").read_text())
    for asked, expected in judged(load_benchmark(script), result).items():
        assert result["targets"][asked] == {**expected, "found": pytest.approx(expected["found"], rel=1e-4)}
