"""Scores and ids drawn to aim at every rule: those of the benchmarks, which run without these tests."""

import runpy
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

draw_score = runpy.run_path(str(BENCHMARKS / "drawn_scores.py"))["draw_score"]
_IDS = runpy.run_path(str(BENCHMARKS / "drawn_ids.py"))
DrawnIds, contents = _IDS["DrawnIds"], _IDS["contents"]
