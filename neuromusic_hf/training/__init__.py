"""Training runs: arguments and recipes, metrics, and what a run saves."""

from .arguments import DataArguments, ModelArguments, RunArguments
from .instruments import record_trained_programs
from .language_modeling import LanguageModelingMetrics, row_statistics, tokens_per_note
from .preflight import check_run
from .processor import prepare_processor
from .recipes import parse_recipe, resolved_recipe
from .resuming import begin_run, settle_split_version
from .run import create_trainer, ended_run, evaluate_test_split, save_run, select_splits
from .split_blocks import TrainingBlocks
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
    "settle_split_version",
    "evaluate_test_split",
    "tokens_per_note",
]
