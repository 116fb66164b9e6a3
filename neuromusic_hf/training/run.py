"""The Trainer of a run, its end, and the record it leaves behind."""

import contextlib
import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

import torch
from transformers import PreTrainedModel, Trainer

from ..corpora import Corpus, Provenance
from ..tokenization import BlockCollator, MidiProcessor
from .arguments import DataArguments, RunArguments
from .language_modeling import LanguageModelingMetrics, row_statistics
from .resuming import refuse_other_blocks
from .split_blocks import TrainingBlocks
from .trainer import MusicTrainer

RECORDED_PACKAGES = (
    *("neuromusic_hf", "torch", "transformers", "accelerate", "datasets", "tokenizers", "miditok", "symusic"),
)


def select_splits(corpus: Corpus, args: RunArguments) -> Corpus:
    """Leaves the test split alone unless the run is to be tested."""
    chosen = {split: pieces for split, pieces in corpus.items() if split != "test" or args.do_test}
    return Corpus(chosen, corpus.quarantine, corpus.provenance)


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


def save_run(trainer: MusicTrainer, facts: dict, metrics: dict, provenance: Sequence[Provenance] = ()):
    """
    Saves model, processor, recipe and run record as the bundle of a run, one Hugging Face repository, with its card.

    A run that pushes pushes it.

    Args:
        trainer ([`MusicTrainer`]): When its training is over.
        facts (`dict`): What the splits hold, from [`TrainingBlocks`].
        metrics (`dict`): What training and evaluations measured.
        provenance (sequence of [`Provenance`], *optional*): Where the music of the corpora comes from.

    Raises:
        `RuntimeError`: it was not pushed; the message says how to push it later.
        `OSError`: it cannot be saved.
    """
    trainer.finish_pushes()
    trainer.record = run_record(trainer, facts, metrics, provenance)
    trainer.save_model()


def run_record(trainer: MusicTrainer, facts: dict, metrics: dict, provenance: Sequence[Provenance] = ()) -> dict:
    """What `run.json` says about a run: nothing that is of this machine alone."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    commit = getattr(model, "hub_commit", None)
    return {
        "model": type(model).__name__,
        "base_model": {"name": model.name_or_path, "revision": commit} if commit else None,
        "parameters": trainer.model.num_parameters(),
        "vocabulary": {
            "tokenization": trainer.processing_class.tokenization,
            "ids": trainer.processing_class.vocab_size,
            "hash": trainer.processing_class.vocabulary_hash,
            "ids_asked_for": (trainer.recipe or {}).get("vocab_size"),
        },
        "optimizer_steps": trainer.state.global_step,
        "processes": trainer.args.world_size,
        "hardware": hardware(),
        "versions": versions(),
        "corpora": list(provenance),
        "splits": facts,
        "metrics": metrics,
        "failed_pushes": trainer.failed_pushes,
    }


def versions() -> dict[str, str]:
    """Of Python and of the packages that a run is made with, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in RECORDED_PACKAGES:
        with contextlib.suppress(PackageNotFoundError):  # this package, in a checkout
            found[name] = version(name)
    return found


@contextlib.contextmanager
def ended_run(trainer: MusicTrainer) -> Iterator[None]:
    """
    Ends pushes, trackers and, in a distributed run, the process group, however the run ends.

    The distributed wrapper of the model goes first: where it is the last to hold the group, its destructor waits for a
    communication thread that waits for the interpreter lock the destructor holds (seen as a hang at exit with gloo).
    """
    try:
        yield
    finally:
        trainer.finish_pushes()
        trainer.model_wrapped = trainer.model
        trainer.accelerator.free_memory()
        trainer.accelerator.end_training()


def hardware() -> dict:
    """What a run ran on."""
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    cpu = torch.cpu.get_capabilities().get("cpu_name") if hasattr(torch.cpu, "get_capabilities") else None
    return {"cpu": cpu or platform.processor(), "cpu_cores": os.cpu_count(), "gpus": gpus}
