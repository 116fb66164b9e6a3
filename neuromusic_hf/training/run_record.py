"""The record of a run."""

import contextlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version

import torch

from ..bundles.base import base_record
from ..bundles.trained_splits import split_otherwise
from ..threads import threads_in_force
from ..tokenization import MidiProcessor
from .code_facts import code_facts
from .divided_weights import class_of, plain_model
from .saving_trainer import SavingTrainer

RECORDED_PACKAGES = (
    *("neuromusic_hf", "torch", "transformers", "accelerate", "datasets", "tokenizers", "miditok", "symusic"),
)

FINGERPRINTS = ("music", "content", "ids", "pieces")
"""Of the facts about a split: hashes of its pieces, of them as tokenised and of their ids; and how many there are."""


def run_record(trainer: SavingTrainer) -> dict:
    """What `run.json` says about a run as it stands: nothing that is of this machine alone."""
    model = plain_model(trainer)
    model = getattr(model, "get_base_model", lambda: model)()
    base = base_record(model)
    return {
        "model": class_of(model).__name__,
        "base_model": base,
        "lora": getattr(model, "lora_facts", None),
        "parameters": trainer.model.num_parameters(),
        "vocabulary": {
            "tokenization": trainer.processing_class.tokenization,
            "ids": trainer.processing_class.vocab_size,
            "hash": trainer.processing_class.vocabulary_hash,
            "ids_asked_for": (trainer.recipe or {}).get("vocab_size"),
        },
        "intra_document_masking": bool((trainer.recipe or {}).get("intra_document_masking")),
        "optimizer_steps": trainer.state.global_step,
        "processes": trainer.args.world_size,
        "engine": trainer.engine,
        "hardware": hardware(),
        "corpora": trainer.provenance,
        "split_otherwise": split_otherwise(trainer.provenance, base),
        **identity(trainer),
    }


def identity(trainer: SavingTrainer) -> dict:
    """
    What makes a run the one it is, for its record and for the configuration that trackers show.

    Returns:
        `dict`: `recipe`, as others may run it; `code`, from [`code_facts`]; `data`, by split the hashes of its pieces
            and of their ids; `versions`. Nothing that is of this machine or of an account.
    """
    data = {
        split: {name: facts[name] for name in FINGERPRINTS if name in facts}
        for split, facts in trainer.split_facts.items()
    }
    return {"recipe": trainer.shared_recipe, "code": code_facts(), "data": data, "versions": versions()}


def run_tags(trainer: SavingTrainer) -> tuple[str, ...]:
    """What a run is, in words to find it by: its model, its tokenizer, and what else it learns or learns by."""
    processor, recipe = trainer.processing_class, trainer.shared_recipe or {}
    words = [trainer.model.config.model_type]
    if isinstance(processor, MidiProcessor):
        words.append(processor.tokenization.rpartition(".")[2])
        if processor.music_tokenizer.is_trained:
            words.append(f"{recipe.get('vocabulary_model', 'learned')} {processor.vocab_size}")
    words += [word for word, option in (("infilling", "infill_share"), ("LoRA", "lora_rank")) if recipe.get(option)]
    return tuple(words)


def versions() -> dict[str, str]:
    """Of Python and of the packages that a run is made with, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in RECORDED_PACKAGES:
        with contextlib.suppress(PackageNotFoundError):  # this package, in a checkout
            found[name] = version(name)
    return found


def hardware() -> dict:
    """What a run ran on."""
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    cpu = torch.cpu.get_capabilities().get("cpu_name") if hasattr(torch.cpu, "get_capabilities") else None
    return {"cpu": cpu or platform.processor(), "cpu_cores": os.cpu_count(), **threads_in_force(), "gpus": gpus}
