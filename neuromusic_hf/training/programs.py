"""Which instruments a model was trained on, which its config keeps."""

import pyarrow.compute
from datasets import Dataset
from transformers import PreTrainedModel

from ..tokenization import MidiProcessor


def programs_in(tokens: Dataset, processor: MidiProcessor) -> list[int]:
    """
    The MIDI programs that a tokenised split names, ascending, -1 for drums.

    Args:
        tokens ([`~datasets.Dataset`]): with the column `input_ids`.
        processor ([`MidiProcessor`]): of those ids.
    """
    used = set()
    for chunk in tokens.data.column("input_ids").chunks:
        used.update(pyarrow.compute.unique(chunk.flatten()).to_pylist())
    words = processor.base_words
    return sorted({int(value) for index in used for kind, value in words[index] if kind == "Program"})


def record_trained_programs(model: PreTrainedModel, processor: MidiProcessor, train: Dataset):
    """
    Adds the programs of a train split to `model.config.trained_programs`, so that the midi-continuation pipeline can
    refuse what the model never heard. Nothing is recorded where that cannot be known: the tokenizer names no programs,
    or the weights come from elsewhere without a record.

    Args:
        model ([`~transformers.PreTrainedModel`]): about to be trained.
        processor ([`MidiProcessor`]): of its vocabulary.
        train ([`~datasets.Dataset`]): tokens or blocks, with the column `input_ids`.
    """
    before = getattr(model.config, "trained_programs", None)
    programs = programs_in(train, processor)
    if programs and (before is not None or not model.name_or_path):
        model.config.trained_programs = sorted({*programs, *(before or [])})
