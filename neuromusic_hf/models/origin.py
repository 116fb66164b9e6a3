"""What a loaded model remembers: where it comes from, and the processor it was built or loaded with."""

import functools
from typing import Any
from weakref import WeakKeyDictionary

from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

from ..borders.transformers import is_outside_of_auto_class
from ..hub import resolve_commit
from ..hub.pull import OF_REPOSITORY, given
from ..tokenization import MidiProcessor

BESIDE = (*OF_REPOSITORY, "subfolder", "trust_remote_code")
"""Arguments of `from_pretrained` that decide about what lies beside a model."""

PIPELINE_TASK = "midi-continuation"
INFILLING_TASK = "midi-infilling"
TASKS = (PIPELINE_TASK, INFILLING_TASK)
"""Of the pipelines of this package."""

_PULLED_WITH: WeakKeyDictionary[PreTrainedModel, dict[str, Any]] = WeakKeyDictionary()
"""Apart from the models: a token is not saved, copied or pickled with one."""

_load = PreTrainedModel.from_pretrained.__func__
_load_config = AutoConfig.from_pretrained.__func__


def remember_processor(model: PreTrainedModel, processor: MidiProcessor) -> MidiProcessor:
    """Has a model know the processor that it was built or loaded with (`model.midi_processor`), and returns that."""
    model.midi_processor = processor
    return processor


def remember_origin(model: PreTrainedModel, commit: str | None, **arguments: Any):
    """
    Has a model know its commit on the Hub (`model.hub_commit`), and how it was pulled.

    Args:
        model ([`~transformers.PreTrainedModel`]): that was loaded.
        commit (`str`, *optional*): `None` of a folder.
        arguments: of `from_pretrained`; those are kept with which to pull what lies beside the model.
    """
    model.hub_commit = commit
    _PULLED_WITH[model] = given(arguments, BESIDE)


def pulled_with(model: PreTrainedModel) -> dict[str, Any]:
    """Arguments of `from_pretrained` for what lies beside a model: as it was pulled, and of its commit."""
    commit = getattr(model, "hub_commit", None)
    return _PULLED_WITH.get(model, {}) | ({"revision": commit} if commit else {})


def found_with(model: PreTrainedModel) -> dict[str, Any]:
    """Arguments of [`find_file`] for files that lie beside a model: as [`pulled_with`], and no code runs."""
    return {name: value for name, value in pulled_with(model).items() if name != "trust_remote_code"}


def trace_loaded_models():
    """
    Has every model remember where it comes from, whichever class loads it.

    transformers resolves a branch into a commit, loads that, and forgets it. For a pipeline it reads the config before
    the model, of which [`AutoMusicModel`] reads it anew, once it has checked it: here that alone is done.
    """
    PreTrainedModel.from_pretrained = classmethod(_from_pretrained)
    AutoConfig.from_pretrained = classmethod(_config_from_pretrained)


@functools.wraps(_load_config)
def _config_from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs):
    if is_outside_of_auto_class(kwargs, TASKS):
        return PreTrainedConfig()
    return _load_config(cls, pretrained_model_name_or_path, *args, **kwargs)


@functools.wraps(_load)
def _from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs):
    if is_outside_of_auto_class(kwargs, TASKS):
        raise ValueError(f"{cls.__name__} is not tried in place of AutoMusicModel, which says what is wrong.")
    name, where = pretrained_model_name_or_path, given(kwargs, OF_REPOSITORY)
    revision = None if name is None else resolve_commit(name, kwargs.get("revision"), **where)
    loaded = _load(cls, name, *args, **kwargs | ({"revision": revision} if revision else {}))
    model = loaded[0] if isinstance(loaded, tuple) else loaded
    remember_origin(model, revision.resolved if revision else None, **kwargs)
    return loaded
