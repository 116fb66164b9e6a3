"""Reports on test runs: scores, a table, pictures, a page; and several runs side by side."""

from .continuations import push_continuations
from .leak_page import write_leaks
from .leak_records import LeakReport
from .leaks import report_leaks
from .page import write_report
from .publishing import add_report
from .push_run import push_run
from .run_model import RunModel
from .run_scores import RunScores, ScoringOptions, score_run
from .side_by_side import compare_runs

__all__ = [
    "LeakReport",
    "RunModel",
    "RunScores",
    "ScoringOptions",
    "add_report",
    "compare_runs",
    "push_run",
    "push_continuations",
    "report_leaks",
    "score_run",
    "write_leaks",
    "write_report",
]
