"""Training runs: arguments and recipes, metrics, and what a run saves."""

from .arguments import DataArguments, ModelArguments, RunArguments, parse_recipe, resolved_recipe
from .language_modeling import LanguageModelingMetrics, row_statistics, tokens_per_note
from .run import TrainingBlocks, create_trainer, evaluate_test_split, prepare_processor, save_bundle

__all__ = [
    "DataArguments",
    "LanguageModelingMetrics",
    "ModelArguments",
    "RunArguments",
    "TrainingBlocks",
    "create_trainer",
    "parse_recipe",
    "prepare_processor",
    "resolved_recipe",
    "row_statistics",
    "save_bundle",
    "evaluate_test_split",
    "tokens_per_note",
]
