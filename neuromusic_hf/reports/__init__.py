"""Reports on test runs: scores, a table, pictures, a page; and several runs side by side."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .continuations import push_continuations as push_continuations
    from .infill_page import write_infill_report as write_infill_report
    from .infill_runs import score_infill_runs as score_infill_runs
    from .infill_scores import InfillScores as InfillScores
    from .infill_scores import add_baselines as add_baselines
    from .infill_scores import score_infills as score_infills
    from .leak_page import write_leaks as write_leaks
    from .leak_records import LeakReport as LeakReport
    from .leaks import report_leaks as report_leaks
    from .options import LEAK_RANGES as LEAK_RANGES
    from .options import InfillScoringOptions as InfillScoringOptions
    from .options import ScoringOptions as ScoringOptions
    from .page import write_report as write_report
    from .publishing import add_report as add_report
    from .pushing import push_run as push_run
    from .run_model import RunModel as RunModel
    from .run_scores import RunScores as RunScores
    from .run_scores import score_run as score_run
    from .side_by_side import compare_runs as compare_runs
    from .trainings import compare_trainings as compare_trainings
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
