"""The Trainer of a run, and its end."""

import contextlib
import functools
from collections.abc import Iterator, Sequence

from transformers import PreTrainedModel, Trainer

from ..checkpoints.resuming import refuse_other_blocks
from ..corpora import Provenance
from ..evaluation.language_modeling import LanguageModelingMetrics, row_statistics
from ..evaluation.token_types import TokenTypes
from ..options.arguments import DataArguments, RunArguments
from ..threads import limit_threads
from ..tokenization import BlockCollator, Documents, MidiProcessor
from .document_masking import check_separation
from .lora import merge_lora
from .run_record import run_record
from .split_blocks import CLEAN_TEST, TrainingBlocks
from .trainer import MusicTrainer

METRIC_PREFIXES = {"validation": "eval"}
"""Of splits whose metrics are not named after them."""


def create_trainer(
    model: PreTrainedModel,
    processor: MidiProcessor,
    blocks: TrainingBlocks,
    data_args: DataArguments,
    args: RunArguments,
    recipe: dict,
    provenance: Sequence[Provenance] = (),
) -> MusicTrainer:
    """
    The Trainer of a run: evaluates on validation, and saves processor and recipe in every checkpoint.

    Raises:
        `ValueError`: the run goes on from a checkpoint that was made with another train split; or pieces of a block
            are not to see each other, and the model cannot keep them apart.
    """
    refuse_other_blocks(args.resume_from_checkpoint, blocks.facts["train"])
    limit_threads()
    types = TokenTypes.of(processor)
    documents = Documents.of(processor) if data_args.intra_document_masking else None
    trainer = MusicTrainer(
        model=model,
        args=args,
        train_dataset=blocks.splits["train"],
        eval_dataset=blocks.splits["validation"],
        processing_class=processor,
        data_collator=BlockCollator(processor.tokenizer.pad_token_id, data_args.context_length, documents),
        compute_metrics=LanguageModelingMetrics(blocks.tokens_per_note["validation"], types.names),
        preprocess_logits_for_metrics=functools.partial(row_statistics, types=types),
        recipe=recipe,
        split_facts=blocks.facts,
        provenance=provenance,
        infill_splits={METRIC_PREFIXES.get(split, split): samples for split, samples in blocks.infill.items()},
    )
    if documents is not None:
        check_separation(trainer.model)
    return trainer


def evaluate_test_split(trainer: Trainer, blocks: TrainingBlocks) -> dict[str, float]:
    """Evaluates on the test split, and on the clean test if there is one: `test_loss`, `clean_test_loss` and so on."""
    metrics = {}
    for split in ("test", CLEAN_TEST):
        if split in blocks.splits:
            types = trainer.compute_metrics.types
            trainer.compute_metrics = LanguageModelingMetrics(blocks.tokens_per_note[split], types)
            metrics |= trainer.evaluate(blocks.splits[split], metric_key_prefix=split)
    return metrics


def save_run(trainer: MusicTrainer, facts: dict, metrics: dict):
    """
    Saves model, processor, recipe and run record as the bundle of a run, one Hugging Face repository, with its card.

    A run that pushes pushes it.

    Args:
        trainer ([`MusicTrainer`]): When its training is over.
        facts (`dict`): What the splits hold, from [`TrainingBlocks`]; of a stream the Trainer knows more.
        metrics (`dict`): What training and evaluations measured.

    Raises:
        `RuntimeError`: it was not pushed; the message says how to push it later.
        `OSError`: it cannot be saved.
    """
    trainer.finish_pushes()
    merge_lora(trainer)
    facts = facts | {"train": trainer.facts_of_train()}
    trainer.record = run_record(trainer) | {"splits": facts, "metrics": metrics, "course": trainer.watch.course}
    trainer.record |= {"failed_pushes": trainer.failed_pushes, "failed_trackers": trainer.tracker_failures.record()}
    trainer.save_model()


@contextlib.contextmanager
def ended_run(trainer: MusicTrainer) -> Iterator[None]:
    """
    Ends pushes, trackers and, in a distributed run, the process group, however the run ends.

    The distributed wrapper of the model goes first: where it is the last to hold the group, its destructor waits for a
    communication thread that waits for the interpreter lock the destructor holds (seen as a hang at exit with gloo).
    """
    failed = True
    try:
        yield
        failed = False
    finally:
        trainer.finish_pushes()
        trainer.model_wrapped = trainer.model
        trainer.accelerator.free_memory()
        trainer.finish_trackers(failed=failed)
        trainer.accelerator.end_training()
