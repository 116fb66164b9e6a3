"""The Trainer of a run, its end, and the record it leaves behind."""

import contextlib
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version

import torch
from datasets import DatasetDict
from transformers import PreTrainedModel, Trainer

from ..tokenization import BlockCollator, MidiProcessor
from .arguments import DataArguments, RunArguments
from .language_modeling import LanguageModelingMetrics, row_statistics
from .resuming import refuse_other_blocks
from .split_blocks import TrainingBlocks
from .trainer import MusicTrainer

RECORDED_PACKAGES = ("torch", "transformers", "accelerate", "datasets", "tokenizers", "miditok", "symusic")


def select_splits(corpus: DatasetDict, args: RunArguments) -> DatasetDict:
    """Leaves the test split alone unless the run is to be tested."""
    chosen = DatasetDict({split: pieces for split, pieces in corpus.items() if split != "test" or args.do_test})
    chosen.quarantine = getattr(corpus, "quarantine", None)
    return chosen


def create_trainer(
    model: PreTrainedModel,
    processor: MidiProcessor,
    blocks: TrainingBlocks,
    data_args: DataArguments,
    args: RunArguments,
    recipe: dict,
) -> MusicTrainer:
    """
    The Trainer of a run: evaluates on validation, and saves processor and recipe in every checkpoint.

    Raises:
        `ValueError`: the run goes on from a checkpoint that was made with another train split.
    """
    refuse_other_blocks(args.resume_from_checkpoint, blocks.facts["train"])
    return MusicTrainer(
        model=model,
        args=args,
        train_dataset=blocks.splits["train"],
        eval_dataset=blocks.splits["validation"],
        processing_class=processor,
        data_collator=BlockCollator(processor.tokenizer.pad_token_id, data_args.context_length),
        compute_metrics=LanguageModelingMetrics(blocks.tokens_per_note["validation"]),
        preprocess_logits_for_metrics=row_statistics,
        recipe=recipe,
        train_facts=blocks.facts["train"],
    )


def evaluate_test_split(trainer: Trainer, blocks: TrainingBlocks) -> dict[str, float]:
    """Evaluates on the test split; keys begin with `test_`."""
    trainer.compute_metrics = LanguageModelingMetrics(blocks.tokens_per_note["test"])
    return trainer.evaluate(blocks.splits["test"], metric_key_prefix="test")


def save_run(trainer: MusicTrainer, facts: dict, metrics: dict):
    """
    Saves model, processor, recipe and run record as the bundle of a run, one Hugging Face repository.

    Args:
        trainer ([`MusicTrainer`]): When its training is over.
        facts (`dict`): What the splits hold, from [`TrainingBlocks`].
        metrics (`dict`): What training and evaluations measured.
    """
    trainer.record = run_record(trainer, facts, metrics)
    trainer.save_model()


def run_record(trainer: MusicTrainer, facts: dict, metrics: dict) -> dict:
    """What `run.json` says about a run."""
    return {
        "model": type(trainer.accelerator.unwrap_model(trainer.model)).__name__,
        "parameters": trainer.model.num_parameters(),
        "vocabulary": {
            "tokenization": trainer.processing_class.tokenization,
            "ids": trainer.processing_class.vocab_size,
            "ids_asked_for": (trainer.recipe or {}).get("vocab_size"),
        },
        "optimizer_steps": trainer.state.global_step,
        "processes": trainer.args.world_size,
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in RECORDED_PACKAGES}},
        "splits": facts,
        "metrics": metrics,
    }


@contextlib.contextmanager
def ended_run(trainer: Trainer) -> Iterator[None]:
    """
    Ends trackers and, in a distributed run, the process group, however the run ends.

    The distributed wrapper of the model goes first: where it is the last to hold the group, its destructor waits for a
    communication thread that waits for the interpreter lock the destructor holds (seen as a hang at exit with gloo).
    """
    try:
        yield
    finally:
        trainer.model_wrapped = trainer.model
        trainer.accelerator.free_memory()
        trainer.accelerator.end_training()


def hardware() -> dict:
    """What a run ran on."""
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    cpu = torch.cpu.get_capabilities().get("cpu_name") if hasattr(torch.cpu, "get_capabilities") else None
    return {"cpu": cpu or platform.processor(), "cpu_cores": os.cpu_count(), "gpus": gpus}
