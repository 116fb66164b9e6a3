"""The scores that `benchmarks/encoder_proof.py` draws."""

import runpy
from pathlib import Path

draw_score = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "drawn_scores.py"))["draw_score"]
