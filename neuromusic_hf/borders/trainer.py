"""What a Trainer of `transformers` keeps between its steps. Its import is slow, and brings trackers that print."""

from typing import Any

import torch
from transformers import Trainer, TrainingArguments

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
