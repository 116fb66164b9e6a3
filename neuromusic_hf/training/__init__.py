"""Training runs: what they train on, their Trainer, and what they save; and what a run takes of the rooms before."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from ..checkpoints import begin_run as begin_run
    from ..checkpoints import settle_run_splits as settle_run_splits
    from ..evaluation import LanguageModelingMetrics as LanguageModelingMetrics
    from ..evaluation import row_statistics as row_statistics
    from ..evaluation import tokens_per_note as tokens_per_note
    from ..models.instruments import record_trained_programs as record_trained_programs
    from ..options import DataArguments as DataArguments
    from ..options import ModelArguments as ModelArguments
    from ..options import RunArguments as RunArguments
    from ..options import parse_recipe as parse_recipe
    from ..options import resolved_recipe as resolved_recipe
    from ..streaming import StreamedBlocks as StreamedBlocks
    from ..streaming import pieces_to_learn_from as pieces_to_learn_from
    from ..streaming import select_splits as select_splits
    from ..streaming import stream_blocks as stream_blocks
    from .infill_blocks import record_infill_share as record_infill_share
    from .infill_share import settle_infill_share as settle_infill_share
    from .lora import add_lora as add_lora
    from .preflight import check_run as check_run
    from .processor import prepare_processor as prepare_processor
    from .run import create_trainer as create_trainer
    from .run import ended_run as ended_run
    from .run import evaluate_test_split as evaluate_test_split
    from .run import save_run as save_run
    from .run_data import RunData as RunData
    from .run_data import prepare_data as prepare_data
    from .run_data import prepare_model as prepare_model
    from .split_blocks import TrainingBlocks as TrainingBlocks
    from .trainer import MusicTrainer as MusicTrainer
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
