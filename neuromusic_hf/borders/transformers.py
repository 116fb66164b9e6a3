"""What `generate()` does inside."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.generation.streamers import BaseStreamer


def refuse_unknown_arguments(model: PreTrainedModel, arguments: dict[str, Any]) -> None:
    """Raises `ValueError` where a model takes none of these names that `generate()` would hand on to it."""
    model._validate_model_kwargs(arguments)


def is_outside_of_auto_class(arguments: dict[str, Any], tasks: Sequence[str]) -> bool:
    """
    Whether one of some pipelines loads something itself, and not by its Auto class.

    It reads a config before; and where that class has refused, it tries the one that the config names.

    Args:
        arguments (`dict`): of `from_pretrained`.
        tasks (sequence of `str`): of these pipelines.
    """
    return arguments.get("_from_pipeline") in tasks and not arguments.get("_from_auto")


def sample(
    model: PreTrainedModel,
    input_ids: torch.LongTensor,
    synced_gpus: bool | None,
    streamer: BaseStreamer | None,
    **arguments: Any,
) -> Any:
    """
    The loop of greedy search and sampling in `generate()`.

    Args:
        model ([`~transformers.PreTrainedModel`]): that generates.
        input_ids (`torch.LongTensor` of shape `(rows, tokens)`): what comes before.
        synced_gpus (`bool`, *optional*): as of `generate()`, which decides where it is `None`.
        streamer ([`~transformers.generation.streamers.BaseStreamer`], *optional*): gets the new ids.
        arguments: as `generate()` hands them to a `custom_generate`.

    Returns:
        What `generate()` returns.
    """
    loop = type(model)._sample
    own = model._extract_generation_mode_kwargs(None, {}, synced_gpus, None, streamer)
    return loop(model, input_ids, **own, **arguments)
