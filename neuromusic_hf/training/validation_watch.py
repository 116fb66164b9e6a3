"""Watches the evaluations of a run: stops it early, tells when validation turns up, and keeps how it went."""

import logging
from dataclasses import asdict
from pathlib import Path

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState

from ..bundles.course import course_sentences, is_worse_than_start
from ..checkpoints.folders import checkpoint_step
from ..evaluation.course import NATS_PER_NOTE, TURN_MARGIN, evaluations, stalled, turning
from ..options.arguments import RunArguments

logger = logging.getLogger(__name__)

TURNED_UP = "eval_turned_up_after_step"
"""What trackers are told, once, at the evaluation that showed it."""


class ValidationWatch(TrainerCallback):
    """
    Ends a run by `early_stopping_patience` and `early_stopping_threshold`, and warns when validation turns up.

    It counts as [`~transformers.EarlyStoppingCallback`] does, where the evaluation before the first step does not
    count, but by what was logged: a run that goes on from a checkpoint goes on counting.

    Args:
        trainer ([`~transformers.Trainer`]): with [`RunArguments`].

    Attributes:
        course (`dict`, *optional*): how the evaluations of a finished training went, for the record of the run; `None`
            where there were none.
    """

    def __init__(self, trainer: Trainer):
        self.trainer = trainer
        self.course: dict | None = None

    def on_train_begin(self, args: RunArguments, state: TrainerState, control: TrainerControl, **kwargs):
        """Called by the Trainer once it has read the checkpoint that it goes on from, if any."""
        self.course = None
        if args.early_stopping_patience is not None and not args.load_best_model_at_end:
            logger.warning(
                "early_stopping_patience without load_best_model_at_end: the bundle will be that of the last step, "
                "which is not the best."
            )
        control.should_training_stop = control.should_training_stop or _is_to_stop(args, state)

    def on_evaluate(self, args: RunArguments, state: TrainerState, control: TrainerControl, **kwargs):
        """Called by the Trainer after each evaluation, those of other splits and after training included."""
        if not self.trainer.is_in_train:
            return
        turned = turning(evaluations(state.log_history, NATS_PER_NOTE))
        if turned is not None and turned.seen_at_step == state.global_step:
            logger.warning(
                "Validation turned up after step %d: %.3f nats per note there, more than %g above that since, "
                "and %.3f at step %d. More training makes the model worse on pieces that it has not seen.",
                turned.after_step,
                turned.best,
                TURN_MARGIN,
                turned.risen_to,
                turned.seen_at_step,
            )
            self.trainer.log({TURNED_UP: float(turned.after_step)})
        control.should_training_stop = control.should_training_stop or _is_to_stop(args, state)

    def on_train_end(self, args: RunArguments, state: TrainerState, control: TrainerControl, **kwargs):
        """Called by the Trainer when the best checkpoint is loaded, where that was asked for."""
        self.course = course_of(args, state)
        if self.course is None:
            return
        for sentence in course_sentences(self.course):
            logger.info("%s", sentence)
        if is_worse_than_start(self.course):
            logger.warning(
                "Training did not help: the model it began with predicts validation better. Try a lower "
                "learning_rate, or more pieces."
            )


def course_of(args: RunArguments, state: TrainerState) -> dict | None:
    """How the evaluations of a training went that is over, in nats per note; `None` where there were none."""
    found = evaluations(state.log_history, NATS_PER_NOTE)
    if not found:
        return None
    best = state.best_model_checkpoint if args.load_best_model_at_end else None
    turned, is_early = turning(found), state.global_step < state.max_steps and _is_to_stop(args, state)
    return {
        "nats_per_note": [{"step": step, "value": value} for step, value in found.items()],
        "last_step": state.global_step,
        "kept_step": state.global_step if best is None else checkpoint_step(Path(best)),
        "kept_by": None if best is None else args.metric_for_best_model,
        "stopped_early_after": args.early_stopping_patience if is_early else None,
        "early_stopping_threshold": args.early_stopping_threshold,
        "turned_up": turned and asdict(turned),
    }


def _is_to_stop(args: RunArguments, state: TrainerState) -> bool:
    if args.early_stopping_patience is None:
        return False
    found = evaluations(state.log_history, f"eval_{args.metric_for_best_model.removeprefix('eval_')}")
    values = [value for step, value in found.items() if step > 0]
    return stalled(values, args.greater_is_better, args.early_stopping_threshold) >= args.early_stopping_patience
