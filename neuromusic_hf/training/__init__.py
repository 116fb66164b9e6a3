"""Training runs: arguments and recipes, metrics, and what a run saves."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .arguments import DataArguments as DataArguments
    from .arguments import ModelArguments as ModelArguments
    from .arguments import RunArguments as RunArguments
    from .infill_blocks import record_infill_share as record_infill_share
    from .infill_share import settle_infill_share as settle_infill_share
    from .instruments import record_trained_programs as record_trained_programs
    from .language_modeling import LanguageModelingMetrics as LanguageModelingMetrics
    from .language_modeling import row_statistics as row_statistics
    from .language_modeling import tokens_per_note as tokens_per_note
    from .lora import add_lora as add_lora
    from .preflight import check_run as check_run
    from .processor import prepare_processor as prepare_processor
    from .recipes import parse_recipe as parse_recipe
    from .resolving import resolved_recipe as resolved_recipe
    from .resuming import begin_run as begin_run
    from .resuming import settle_run_splits as settle_run_splits
    from .run import create_trainer as create_trainer
    from .run import ended_run as ended_run
    from .run import evaluate_test_split as evaluate_test_split
    from .run import save_run as save_run
    from .run_data import RunData as RunData
    from .run_data import prepare_data as prepare_data
    from .run_data import prepare_model as prepare_model
    from .split_blocks import TrainingBlocks as TrainingBlocks
    from .streamed_blocks import StreamedBlocks as StreamedBlocks
    from .streaming import pieces_to_learn_from as pieces_to_learn_from
    from .streaming import select_splits as select_splits
    from .streaming import stream_blocks as stream_blocks
    from .trainer import MusicTrainer as MusicTrainer
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
