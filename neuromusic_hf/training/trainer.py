"""The Trainer of this project: transformers' own, which saves in one step, stops when asked, and stops when lost."""

import dataclasses
import functools
import logging
import math
import signal
from collections.abc import Callable
from pathlib import Path

import torch
import yaml
from transformers.trainer import TRAINING_ARGS_NAME

from ..disk import finite_json, size_in_mib, staged_folder, write_whole
from .checkpoints import (
    PROGRESS_NAME,
    RECIPE_NAME,
    TRAINER_STATE_NAME,
    last_checkpoint,
    newest_whole,
    read_progress,
)
from .saving import PARTIAL_NAME, publish_checkpoint, replace_bundle, rotate
from .search import SearchingTrainer
from .stopping import EvaluationStopped, StopRequest

logger = logging.getLogger(__name__)

MAX_SKIPPED_STEPS = 50
"""Steps in a row that a gradient scaler may skip before a run counts as lost; it halves its scale at each."""


class MusicTrainer(SearchingTrainer):
    """
    [`~transformers.Trainer`] of a training run.

    - A checkpoint is whole or not there, wherever the process is killed, and so is the model in `output_dir`.
    - SIGTERM, SIGINT and SIGUSR1 have it finish the step, save a checkpoint and exit with 128 plus their number. What
      it goes on with from there is what it would have done: an evaluation that was due, the loss not yet logged.
    - A loss, a gradient or a weight that is not finite ends the run before it reaches a checkpoint.

    Args:
        recipe (`dict`, *optional*): from [`resolved_recipe`], saved with every model.
        train_facts (`dict`, *optional*): about the blocks of the train split, saved with every checkpoint.
        kwargs: of [`~transformers.Trainer`].

    Raises (by `train` and `evaluate`):
        `FloatingPointError`: something is not finite; the message says what, and what to try.
        `OSError`: a checkpoint cannot be saved, as on a full disk.
        `SystemExit`: a signal stopped the run, after a checkpoint was saved.
    """

    def __init__(self, *args, recipe: dict | None = None, train_facts: dict | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.recipe = recipe
        self.train_facts = train_facts
        self.stop = StopRequest()
        self._staging: Path | None = None
        self._resumed_from: str | None = None
        self._evaluation_due = False
        self._due_evaluation: Callable[[], None] | None = None
        self._stopped_at: int | None = None
        self._step_loss: torch.Tensor | None = None
        self._skipped_steps = 0

    # Stopping when asked

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs):
        """As [`~transformers.Trainer.train`]; a run that is finished already trains no step more."""
        if resume_from_checkpoint is True:
            resume_from_checkpoint = last_checkpoint(self.args.output_dir) or True
        self._resumed_from = str(resume_from_checkpoint) if resume_from_checkpoint else None
        self._evaluation_due, self._step_loss, self._stopped_at, output = False, None, None, None
        with self.stop.listening():
            try:
                output = super().train(resume_from_checkpoint=self._resumed_from, **kwargs)
            except EvaluationStopped:
                logger.info("Stopped before the first step.")
        if self.stop.signal:
            name = signal.Signals(self.stop.signal).name
            logger.warning(
                "Stopped by %s after step %d. Go on with --resume_from_checkpoint last.", name, self.state.global_step
            )
            raise SystemExit(128 + self.stop.signal)
        return output

    def _run_epoch(self, *, trial, ignore_keys_for_eval, **kwargs):
        if self._resumed_from is not None:
            self._take_up(trial, ignore_keys_for_eval)
        if self.state.global_step >= self.state.max_steps:
            logger.warning("All %d steps are done already: nothing is trained.", self.state.max_steps)
            self._make_up_for_evaluation()
            self.control.should_training_stop = True
            return
        super()._run_epoch(trial=trial, ignore_keys_for_eval=ignore_keys_for_eval, **kwargs)

    def _take_up(self, trial, ignore_keys_for_eval):
        """Restores what the state of the Trainer leaves out."""
        checkpoint, self._resumed_from = self._resumed_from, None
        progress = read_progress(Path(checkpoint))
        unlogged = progress.get("unlogged_loss", 0.0)
        self._tr_loss += unlogged
        self._total_loss_scalar -= unlogged
        self._globalstep_last_logged = progress.get("last_logged_step", self._globalstep_last_logged)
        if progress.get("evaluation_due"):
            self._due_evaluation = functools.partial(self._evaluate_late, checkpoint, trial, ignore_keys_for_eval)

    def _load_rng_state(self, checkpoint):
        super()._load_rng_state(checkpoint)
        self._make_up_for_evaluation()

    def _make_up_for_evaluation(self):
        """Draws the random numbers that the evaluation would have drawn in its time."""
        evaluate, self._due_evaluation = self._due_evaluation, None
        if evaluate is not None:
            evaluate()

    def _evaluate_late(self, checkpoint: str, trial, ignore_keys_for_eval):
        metrics = self._evaluate(trial, ignore_keys_for_eval)
        if self._determine_best_metric(metrics=metrics, trial=trial):
            self.state.best_model_checkpoint = checkpoint

    def _maybe_log_save_evaluate(self, *args, **kwargs):
        if self.stop.agreed(self.accelerator):
            self._end_at_this_step()
        random_state = torch.random.get_rng_state() if self.control.should_evaluate else None
        try:
            super()._maybe_log_save_evaluate(*args, **kwargs)
        except EvaluationStopped:
            torch.random.set_rng_state(random_state)
            self._end_at_this_step()
            super()._maybe_log_save_evaluate(*args, **kwargs)

    def _end_at_this_step(self):
        """Has the Trainer save and stop, and leave an evaluation to the run that goes on from here."""
        again = self._stopped_at == self.state.global_step
        self._stopped_at = self.state.global_step
        # The epoch loop of the Trainer ends with the run, and takes that for the end of the epoch.
        early = again and not float(self.state.epoch).is_integer()
        due = self.control.should_evaluate and not early
        self._evaluation_due = self._evaluation_due or due
        self.control.should_evaluate = False
        self.control.should_save = due or not again
        self.control.should_training_stop = True

    def prediction_step(self, *args, **kwargs):
        """As [`~transformers.Trainer.prediction_step`]; an evaluation in training ends where the run is to stop."""
        if self.is_in_train and self.stop.agreed(self.accelerator):
            raise EvaluationStopped
        return super().prediction_step(*args, **kwargs)

    # Stopping when lost

    def training_step(self, *args, **kwargs) -> torch.Tensor:
        """As [`~transformers.Trainer.training_step`]; remembers whether a loss was not finite."""
        loss = super().training_step(*args, **kwargs)
        self._step_loss = loss if self._step_loss is None else self._step_loss + loss
        return loss

    def _get_grad_norm(self, model, grad_norm=None):
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        loss, self._step_loss = self._step_loss, None
        self._refuse_lost_step(loss, norm)
        return norm

    def _refuse_lost_step(self, loss: torch.Tensor, norm: torch.Tensor | float | None):
        norm = torch.as_tensor(0.0 if norm is None else norm, device=loss.device)
        figures = self.accelerator.gather(torch.stack([loss.float(), norm.float()])[None])
        lost_loss, lost_norm = (~figures.isfinite()).any(0).tolist()
        scaled = self.accelerator.scaler is not None or self.is_deepspeed_enabled
        self._skipped_steps = self._skipped_steps + 1 if lost_norm else 0
        if lost_loss or (lost_norm and (not scaled or self._skipped_steps > MAX_SKIPPED_STEPS)):
            [loss, norm] = figures[(~figures.isfinite()).any(1)][0].tolist()
            step = self.state.global_step + 1
            raise self._lost(f"In step {step} the loss is {loss} and the norm of the gradient {norm}")

    def evaluate(self, *args, **kwargs) -> dict[str, float]:
        """As [`~transformers.Trainer.evaluate`]; refuses a loss that is not finite."""
        metrics = super().evaluate(*args, **kwargs)
        for name, value in metrics.items():
            if name.endswith("_loss") and not math.isfinite(value):
                raise self._lost(f"After step {self.state.global_step} {name} is {value}")
        return metrics

    def _refuse_lost_weights(self):
        weights = [getattr(weight.detach(), "_local_tensor", weight.detach()) for weight in self.model.parameters()]
        weights = [weight for weight in weights if weight.is_floating_point() and not weight.is_meta]
        lost = sum((~weight.isfinite().all()).to(self.accelerator.device).long() for weight in weights)
        lost = self.accelerator.gather(torch.as_tensor(lost, device=self.accelerator.device)[None]).sum()
        if lost:
            raise self._lost(f"After step {self.state.global_step} weights are not finite")

    def _lost(self, what: str) -> FloatingPointError:
        last = newest_whole(self.args.output_dir)
        kept = f"{last} is the last good checkpoint" if last else "There is no checkpoint yet"
        return FloatingPointError(
            f"{what}: training has diverged, and stops. {kept}. Try a lower learning_rate, more warmup_steps, a "
            "max_grad_norm of 1 or less, bf16 or float32 in place of fp16, or look at the corpus. A "
            "checkpoint keeps its learning_rate: begin a new run, which may have it as its --model and --tokenization."
        )

    # Saving

    def _get_output_dir(self, trial) -> str:
        return str(self._staging) if self._staging else super()._get_output_dir(trial)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False):
        """As [`~transformers.Trainer.save_model`], with the recipe, without a pickle, and in one step."""
        if self._staging is not None:
            super().save_model(output_dir, _internal_call=True)
            self._complete(Path(output_dir))
            return
        self._refuse_lost_weights()
        folder = Path(output_dir or self.args.output_dir)
        remedy = "The checkpoints of the run are untouched: make room and go on with --resume_from_checkpoint last."
        with staged_folder(folder / PARTIAL_NAME / "bundle", folder, remedy) as staging:
            super().save_model(str(staging), _internal_call=True)
            self._complete(staging)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                replace_bundle(staging, folder)
            self.accelerator.wait_for_everyone()
        if self.args.push_to_hub and not _internal_call:
            self.push_to_hub(commit_message="Model save", revision=self.args.hub_revision)

    def _complete(self, folder: Path):
        if not self.args.should_save:
            return
        # A pickle of the arguments, which recipe.yaml holds in the open.
        (folder / TRAINING_ARGS_NAME).unlink(missing_ok=True)
        if self.recipe is not None:
            write_whole(folder / RECIPE_NAME, yaml.safe_dump(self.recipe, sort_keys=False))

    def _save_checkpoint(self, model, trial):
        self._refuse_lost_weights()
        output_dir, run_dir = Path(self.args.output_dir), Path(super()._get_output_dir(trial))
        checkpoint = run_dir / f"checkpoint-{self.state.global_step}"
        last = newest_whole(run_dir)
        remedy = "Make room and go on with --resume_from_checkpoint last, which "
        remedy += f"is {last} of {size_in_mib(last):.1f} MiB." if last else "begins at the first step."
        with staged_folder(output_dir / PARTIAL_NAME / "saving", checkpoint, remedy) as staging:
            self._save_staged(staging, model, trial)
            self._remember_best(checkpoint)
            self._write_states(staging / checkpoint.name)
            if self.args.should_save:
                publish_checkpoint(staging / checkpoint.name, checkpoint, output_dir)
                rotate(run_dir, output_dir, self.args.save_total_limit, self.state.best_model_checkpoint)
            self.accelerator.wait_for_everyone()
        if self.args.push_to_hub:
            self._push_from_checkpoint(str(checkpoint))

    def _save_staged(self, staging: Path, model, trial):
        """A checkpoint to which one process could not write its part is none."""
        self._staging, failure = staging, None
        try:
            super()._save_checkpoint(model, trial)
        except Exception as error:
            failure = error
        finally:
            self._staging = None
        failures = self.accelerator.gather(torch.tensor([int(failure is not None)], device=self.accelerator.device))
        if failure is not None:
            raise failure
        if failures.any():
            raise RuntimeError("another process could not write its part.")

    def _remember_best(self, checkpoint: Path):
        """The Trainer looked for the best checkpoint where this one was staged."""
        best_step = self.state.best_global_step
        best = checkpoint.with_name(f"checkpoint-{best_step}")
        if best_step and (best_step == self.state.global_step or best.exists()):
            self.state.best_model_checkpoint = str(best)

    def _write_states(self, staged: Path):
        progress = {
            "processes": self.args.world_size,
            "optimizer": not self.args.save_only_model,
            "train": self.train_facts,
            "unlogged_loss": self.accelerator.gather(self._tr_loss[None]).mean().item(),
            "last_logged_step": self._globalstep_last_logged,
            "evaluation_due": self._evaluation_due,
        }
        if self.args.should_save:
            write_whole(staged / PROGRESS_NAME, finite_json(progress))
            write_whole(staged / TRAINER_STATE_NAME, finite_json(dataclasses.asdict(self.state)))

    def _push_from_checkpoint(self, checkpoint_folder: str):
        if self._staging is None:
            super()._push_from_checkpoint(checkpoint_folder)
