"""Training runs: arguments and recipes, metrics, and what a run saves."""

from .arguments import DataArguments, ModelArguments, RunArguments
from .language_modeling import LanguageModelingMetrics, row_statistics, tokens_per_note
from .preflight import check_run
from .programs import record_trained_programs
from .recipes import parse_recipe, resolved_recipe
from .resuming import begin_run
from .run import (
    TrainingBlocks,
    create_trainer,
    ended_run,
    evaluate_test_split,
    prepare_processor,
    save_run,
    select_splits,
)
from .trainer import MusicTrainer

__all__ = [
    "DataArguments",
    "LanguageModelingMetrics",
    "ModelArguments",
    "MusicTrainer",
    "RunArguments",
    "TrainingBlocks",
    "begin_run",
    "check_run",
    "create_trainer",
    "ended_run",
    "parse_recipe",
    "prepare_processor",
    "record_trained_programs",
    "resolved_recipe",
    "row_statistics",
    "save_run",
    "select_splits",
    "evaluate_test_split",
    "tokens_per_note",
]
