"""
Bundles: what files one has, and how one is written.

A bundle is a folder, or a repository of the Hub, with

- `config.json`, `generation_config.json`, `model*.safetensors`: the model, and how it samples; with them the two
  `*_music_transformer.py` of a Music Transformer, or the code of another model that is not transformers' own;
- `tokenizer.json`, `tokenizer_config.json`: a plain fast tokenizer, with the ids of the processor;
- `processor_config.json`: the [`MidiProcessor`], with the whole config of its miditok tokenizer;
- `midi_continuation.py` and `processing_midi.py`: where transformers finds the pipeline and the processor, named in
  `config.json` and `processor_config.json`; `midi_infilling.py` of a model that was trained for it;
- `recipe.yaml` and `run.json`, where a training run made it: what was asked, and what came of it.

A training run leaves its bundle in the folder `bundle` of its own, beside checkpoints, tests and reports.
"""

import os
from pathlib import Path

from transformers import PreTrainedModel
from transformers.utils import ADAPTER_CONFIG_NAME, CONFIG_NAME

from ..default_bundle import DEFAULT, is_default, place_of, recorded_name
from ..disk import last_part, user_path, write_json
from ..hub.bounds import read_object
from ..models.adapter_files import save_music_config
from ..models.sampling import savable_sampling
from ..tokenization import MidiProcessor
from .pipeline_file import add_pipeline_files

BUNDLE_NAME = "bundle"
"""The folder of the bundle, in that of a training run."""


def save_bundle(model: PreTrainedModel, processor: MidiProcessor, folder: str | Path, **kwargs):
    """
    Writes a bundle: a model, its processor, and the files of its pipelines.

    By those `pipeline("midi-continuation")` and `pipeline("midi-infilling")` find their code in a process that has not
    imported this package.

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
    _name_base(folder / ADAPTER_CONFIG_NAME)
    processor.save_pretrained(folder)
    save_music_config(model, folder)
    add_pipeline_files(folder)


def find_bundle(place: str | Path) -> str:
    """
    The bundle that a user means: a training run's own where its folder is named, else what is named.

    Args:
        place (`str` or `Path`): a folder, a Hub id, or any other name of a model, which stays as it is; `"default"` is
            the bundle that comes with this package, unless there is a folder of that name.

    Raises:
        `FileNotFoundError`: the bundle that comes with this package is meant, and is missing.
        `ValueError`: it is the folder of a training run that has not ended; its checkpoints are named.
    """
    folder = str(place_of(os.path.expanduser(place)))
    if _holds_model(os.path.join(folder, BUNDLE_NAME)):
        return os.path.join(folder, BUNDLE_NAME)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    checkpoints = [name for name in names if name.startswith("checkpoint-")]
    if checkpoints and not any(name.endswith(".json") for name in names):
        raise ValueError(f"The run in {folder} left no bundle, as it has not ended: name {' or '.join(checkpoints)}.")
    return folder


def public_name(place: str | Path) -> str:
    """What a path is called where others read it: its last part, and a bundle by the folder of its run."""
    if is_default(user_path(place)):
        return DEFAULT
    name = last_part(place)
    return last_part(user_path(place) / os.pardir) if name == BUNDLE_NAME else name


def _name_base(adapter_config: Path):
    """Has an adapter name the bundle of this package as such, wherever that is installed."""
    said = read_object(adapter_config) if adapter_config.is_file() else {}
    base = said.get("base_model_name_or_path")
    if base and recorded_name(base) != base:
        write_json(adapter_config, said | {"base_model_name_or_path": recorded_name(base)})


def _holds_model(folder: str) -> bool:
    return any(os.path.isfile(os.path.join(folder, name)) for name in (CONFIG_NAME, ADAPTER_CONFIG_NAME))
