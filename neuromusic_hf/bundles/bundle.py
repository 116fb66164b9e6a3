"""
Bundles: what files one has, and how one is written.

A bundle is a folder, or a repository of the Hub, with

- `config.json`, `generation_config.json`, `model*.safetensors`: the model, and how it samples; with them the two
  `*_music_transformer.py` of a Music Transformer, or the code of another model that is not transformers' own;
- `tokenizer.json`, `tokenizer_config.json`: a plain fast tokenizer, with the ids of the processor;
- `processor_config.json`: the [`MidiProcessor`], with the whole config of its miditok tokenizer;
- `midi_continuation.py` and `processing_midi.py`: where transformers finds the pipeline and the processor, named in
  `config.json` and `processor_config.json`;
- `recipe.yaml` and `run.json`, where a training run made it: what was asked, and what came of it.
"""

from pathlib import Path

from transformers import PreTrainedModel

from ..disk import user_path
from ..models.sampling import savable_sampling
from ..tokenization import MidiProcessor
from .pipeline_file import add_pipeline_file

WEIGHTS_PATTERNS = ("model*.safetensors", "pytorch_model*.bin", "adapter_model*.*", "*.index.json")
"""All files that hold weights: an old one of these beside new ones would be loaded in their place."""

BESIDE_WEIGHTS = ("*config.json", "tokenizer.json", "*tokens*.json", "*.py")
"""Files that decide about the notes, as weights do."""

RECIPE_NAME = "recipe.yaml"
RUN_NAME = "run.json"
"""The record of a finished run; it stands beside a whole bundle only."""


def save_bundle(model: PreTrainedModel, processor: MidiProcessor, folder: str | Path, **kwargs):
    """
    Writes a bundle: a model, its processor, and the file of the pipeline.

    By that file `pipeline("midi-continuation")` finds its code in a process that has not imported this package.

    Args:
        model ([`~transformers.PreTrainedModel`]): a causal language model.
        processor ([`MidiProcessor`]): of its vocabulary.
        folder (`str` or `Path`): where to; made if missing.
        kwargs: of `PreTrainedModel.save_pretrained`.

    Raises:
        `ValueError`: the processor, or the model's generation config, could not be loaded again.
        `OSError`: the folder cannot be written to.
    """
    folder = user_path(folder)
    with savable_sampling(model):
        model.save_pretrained(folder, **kwargs)
    processor.save_pretrained(folder)
    add_pipeline_file(folder)
