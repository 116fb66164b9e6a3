"""What trackers are told of a search: each trial is a run of its own, and the search is their group."""

import contextlib
import os
from collections.abc import Iterator
from unittest import mock

from ..tracking.trackers import default_run_name
from ..training import MusicTrainer
from .plan import SearchPlan

GROUP_VARIABLE = "WANDB_RUN_GROUP"
ID_VARIABLE = "WANDB_RUN_ID"


def search_name(plan: SearchPlan) -> str:
    """What a search is called: as a run in its `output_dir` would be, or as `run_name` says."""
    return plan.recipe.get("run_name") or default_run_name(plan.args.output_dir, plan.args.report_to)


@contextlib.contextmanager
def trials_as_group(plan: SearchPlan) -> Iterator[None]:
    """
    Has Weights & Biases put the runs of a search into one group: that of `WANDB_RUN_GROUP`, or its name.

    Raises:
        `ValueError`: `WANDB_RUN_ID` is set, which would make one run of all trials.
    """
    if "wandb" not in plan.args.report_to:
        yield
        return
    if os.environ.get(ID_VARIABLE):
        raise ValueError(f"{ID_VARIABLE}={os.environ[ID_VARIABLE]} would make one run of all trials: unset it.")
    group = os.environ.get(GROUP_VARIABLE) or search_name(plan)
    with mock.patch.dict(os.environ, {GROUP_VARIABLE: group}):
        yield


@contextlib.contextmanager
def trackers_of_trial(trainer: MusicTrainer) -> Iterator[None]:
    """
    Ends what the trackers of a trial have begun, however it ends, so that the next one has its own.

    Trackio and TensorBoard end with the training, unless that fails; Weights & Biases goes on with the process.
    """
    failed = True
    try:
        yield
        failed = False
    finally:
        if trainer.is_in_train:  # it did not come to its end
            trainer.callback_handler.on_train_end(trainer.args, trainer.state, trainer.control)
        if "wandb" in trainer.args.report_to:
            import wandb  # slow

            with trainer.tracker_failures.watching("wandb"):
                wandb.finish(exit_code=int(failed))
