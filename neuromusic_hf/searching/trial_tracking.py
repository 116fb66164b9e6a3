"""What trackers are told of a search: each trial is a run of its own, and the search is their group."""

import contextlib
import os
from collections.abc import Iterator

from ..tracking import default_run_name
from ..training import MusicTrainer
from .plan import SearchPlan

ID_VARIABLE = "WANDB_RUN_ID"


def search_name(plan: SearchPlan) -> str:
    """What a search is called: as a run in its `output_dir` would be, or as `run_name` says."""
    return plan.recipe.get("run_name") or default_run_name(plan.args.output_dir, plan.args.report_to)


def check_run_id(plan: SearchPlan):
    """
    Refuses an id for Weights & Biases, of which all trials would be one run.

    Raises:
        `ValueError`: `WANDB_RUN_ID` is set.
    """
    if "wandb" in plan.args.report_to and os.environ.get(ID_VARIABLE):
        raise ValueError(f"{ID_VARIABLE}={os.environ[ID_VARIABLE]} would make one run of all trials: unset it.")


@contextlib.contextmanager
def trackers_of_trial(trainer: MusicTrainer) -> Iterator[None]:
    """Has trackers that end with the training do so where that breaks off, too, so that the next trial has its own."""
    try:
        yield
    finally:
        if trainer.is_in_train:
            trainer.callback_handler.on_train_end(trainer.args, trainer.state, trainer.control)
