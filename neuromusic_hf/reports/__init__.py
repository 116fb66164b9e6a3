"""Reports on test runs: scores, a table, pictures, a page; and several runs side by side."""

from .comparison import compare_runs
from .page import write_report
from .run_model import RunModel
from .run_scores import RunScores, ScoringOptions, score_run

__all__ = [
    "RunModel",
    "RunScores",
    "ScoringOptions",
    "compare_runs",
    "score_run",
    "write_report",
]
