"""The ways to make copies of pieces that the benchmark of twins has."""

import runpy
from pathlib import Path

PLANTINGS = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "planted_twins.py"))["PLANTINGS"]
