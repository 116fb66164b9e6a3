"""Which instruments a model was trained on, which its config keeps."""

from collections.abc import Iterable

import pyarrow.compute
from datasets import Dataset
from torch.utils.data import IterableDataset
from transformers import PreTrainedModel

from ..tokenization import MidiProcessor


def programs_in(tokens: Dataset, processor: MidiProcessor) -> list[int]:
    """
    The MIDI programs that a tokenised split names, ascending, -1 for drums.

    Args:
        tokens ([`~datasets.Dataset`]): Pieces or blocks, with the column `input_ids`.
        processor ([`MidiProcessor`]): Knows what the ids stand for.
    """
    used: set[int] = set()
    for chunk in tokens.data.column("input_ids").chunks:
        used.update(pyarrow.compute.unique(chunk.flatten()).to_pylist())
    return programs_of_ids(used, processor)


def programs_of_ids(used: Iterable[int], processor: MidiProcessor) -> list[int]:
    """The MIDI programs that some ids name, ascending, -1 for drums; arguments as of [`programs_in`]."""
    words = processor.base_words
    return sorted({int(value) for index in used for kind, value in words[index] if kind == "Program"})


def record_trained_programs(model: PreTrainedModel, processor: MidiProcessor, train: Dataset | IterableDataset):
    """
    Adds the programs of a train split to `model.config.trained_programs`.

    Of a stream they are known when it was read, and added whenever the model is saved ([`StreamingTrainer`]).

    By them the midi-continuation pipeline refuses what the model never heard. Nothing is recorded where that cannot be
    known: the tokenizer names no programs, or the weights come from elsewhere without a record.

    Args:
        model ([`~transformers.PreTrainedModel`]): The model that is about to be trained.
        processor ([`MidiProcessor`]): Knows what the ids stand for.
        train ([`~datasets.Dataset`]): Pieces or blocks, with the column `input_ids`; or blocks of a stream.
    """
    if isinstance(train, Dataset):
        note_programs(model, programs_in(train, processor))


def note_programs(model: PreTrainedModel, programs: list[int]):
    """Adds programs to `model.config.trained_programs`, where that can be known: see [`record_trained_programs`]."""
    before = getattr(model.config, "trained_programs", None)
    if programs and (before is not None or not model.name_or_path):
        model.config.trained_programs = sorted({*programs, *(before or [])})
