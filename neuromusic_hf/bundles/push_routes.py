"""transformers' and peft's own ways to push, which lead to whole bundles where there is a processor."""

import functools
import sys
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo
from transformers import PreTrainedModel
from transformers.utils import PROCESSOR_NAME, PushToHubMixin

from ..hub import NotOnHubError, find_file
from ..models.adapters import find_processor
from ..models.music_transformer import MusicTransformerPreTrainedModel
from ..models.origin import found_with
from ..tokenization import MidiProcessor
from .push import LARGEST_SHARD, PUSHING, push_bundle, push_processor

SAVING_AND_PUSHING = ("repo_id", "tags", *PUSHING)
"""Arguments of `save_pretrained` that are for the push."""

_push = PushToHubMixin.push_to_hub
_save = PreTrainedModel.save_pretrained


def register_pushing():
    """
    Has `push_to_hub` push a bundle: of models and adapters whose [`MidiProcessor`] is found, and of processors.

    `save_pretrained(push_to_hub=True)` does likewise. Models of others are pushed as ever.
    """
    PushToHubMixin.push_to_hub = _push_to_hub
    PreTrainedModel.save_pretrained = _save_pretrained
    MidiProcessor.push_to_hub = _push_processor


@functools.wraps(_push)
def _push_to_hub(self, repo_id: str, **arguments: Any) -> CommitInfo:
    processor = _processor_of(self) if _is_model(self) else None
    if processor is None:
        return _push(self, repo_id, **arguments)
    return push_bundle(self, repo_id, processor, **arguments)


@functools.wraps(_save)
def _save_pretrained(self, save_directory, *args: Any, push_to_hub: bool = False, **arguments: Any):
    if not push_to_hub or _processor_of(self) is None:
        return _save(self, save_directory, *args, **arguments, **{"push_to_hub": True} if push_to_hub else {})
    pushing = {name: arguments.pop(name) for name in SAVING_AND_PUSHING if name in arguments}
    saved = _save(self, save_directory, *args, **arguments)
    pushing = {"repo_id": Path(save_directory).name} | pushing
    self.push_to_hub(max_shard_size=arguments.get("max_shard_size", LARGEST_SHARD), **pushing)
    return saved


@functools.wraps(_push)
def _push_processor(self, repo_id: str, *, max_shard_size: int | str | None = None, **arguments: Any) -> CommitInfo:
    return push_processor(self, repo_id, **arguments)


def _is_model(pushed: Any) -> bool:
    peft = sys.modules.get("peft")
    return isinstance(pushed, PreTrainedModel) or (peft is not None and isinstance(pushed, peft.PeftModel))


def _processor_of(model: PreTrainedModel) -> MidiProcessor | None:
    """The processor of a model of music; none of another model."""
    try:
        return find_processor(model)
    except (ValueError, NotOnHubError) as error:
        if not _is_of_music(model):
            return None
        raise ValueError(f"{error} Or push the two together: push_bundle(model, repo_id, processor).") from error


def _is_of_music(model: PreTrainedModel) -> bool:
    if isinstance(model, MusicTransformerPreTrainedModel) or hasattr(model.config, "trained_programs"):
        return True
    try:
        path = find_file(model.name_or_path, PROCESSOR_NAME, **found_with(model))
        return path is not None and MidiProcessor.__name__ in path.read_text(encoding="utf-8")
    except NotOnHubError:
        return False
