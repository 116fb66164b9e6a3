"""What a Trainer keeps between its steps, and other things of `transformers`."""

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, Trainer, TrainingArguments
from transformers.generation.streamers import BaseStreamer
from transformers.utils import cached_file

DICT_FIELDS: tuple[str, ...] = tuple(TrainingArguments._VALID_DICT_FIELDS)
"""Arguments of a training run that are objects, of which the text of a JSON object is taken too."""


def unlogged_loss(trainer: Trainer) -> torch.Tensor:
    """The sum of the losses of this process since one was logged, of shape `()`."""
    return trainer._tr_loss


def last_logged_step(trainer: Trainer) -> int:
    """The optimizer step after which a loss was logged."""
    return trainer._globalstep_last_logged


def take_up_loss(trainer: Trainer, unlogged: float, last_logged_step: int | None) -> None:
    """Has a Trainer that was resumed log the losses of steps before it together with its own."""
    trainer._tr_loss += unlogged
    trainer._total_loss_scalar -= unlogged
    if last_logged_step is not None:
        trainer._globalstep_last_logged = last_logged_step


def evaluate_in_training(trainer: Trainer, trial: Any, ignore_keys: list[str] | None) -> dict[str, float]:
    """An evaluation as the Trainer makes it between its steps, of which schedulers and trials are told."""
    return trainer._evaluate(trial, ignore_keys)


def is_best_so_far(trainer: Trainer, metrics: dict[str, float], trial: Any) -> bool:
    """Whether these metrics are the best, which the state of the Trainer remembers then."""
    return trainer._determine_best_metric(metrics=metrics, trial=trial)


def refuse_unknown_arguments(model: PreTrainedModel, arguments: dict[str, Any]) -> None:
    """Raises `ValueError` where a model takes none of these names that `generate()` would hand on to it."""
    model._validate_model_kwargs(arguments)


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


def find_cached_file(repository: str, name: str, **hub_arguments: Any) -> Path | None:
    """
    A file of a folder or Hub repository; `None` where it has none of that name.

    Raises:
        `OSError`: there is no such folder or repository.
    """
    found = cached_file(repository, name, _raise_exceptions_for_missing_entries=False, **hub_arguments)
    return None if found is None else Path(found)
