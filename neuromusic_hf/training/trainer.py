"""The Trainer of this project: transformers' own, which saves in one step, stops when asked, and stops when lost."""

import contextlib
import functools
import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from transformers import Trainer, TrainerCallback

from ..borders.trainer import evaluate_in_training, is_best_so_far, take_up_loss
from ..checkpoints.folders import last_checkpoint, read_progress
from ..options.values import MUON
from ..tracking.failures import TrackerFailures, guard_tracker, is_tracker, tracker_name
from ..tracking.memory import MEMORY_NAME, TrackerMemory
from ..tracking.sessions import Session, finish_session, prepare_session
from .muon import muon_and_arguments
from .piece_lengths import PieceLengths
from .pushing_trainer import PushingTrainer
from .run_record import identity, run_tags
from .stopping import EvaluationStopped, StopRequest
from .throughput import Throughput
from .validation_watch import ValidationWatch

logger = logging.getLogger(__name__)


class StoppedEarly(Exception):
    """The evaluation that a run makes up for was the last one: no step is left."""


class MusicTrainer(PushingTrainer):
    """
    [`~transformers.Trainer`] of a training run.

    - A checkpoint is whole or not there, wherever the process is killed, and so is the bundle in `output_dir`
      ([`SavingTrainer`], which has the arguments).
    - What it pushes are bundles, with their cards ([`PushingTrainer`]).
    - A loss, a gradient or a weight that is not finite ends the run before it is saved ([`FiniteTrainer`]).
    - It searches for the best of a metric whichever way that gets better ([`SearchingTrainer`]).
    - FSDP2 and DeepSpeed divide its model, on CPUs too, and what it saves is whole ([`DividingTrainer`]).
    - Its evaluations measure infilling too, where there are samples of it ([`InfillTrainer`]).
    - A tracker that fails does not end the run ([`TrackerFailures`]).
    - Beside the loss it logs how fast it trains ([`Throughput`]), and first how long its pieces are
      ([`PieceLengths`]).
    - Trackers know a run that goes on as the same run, and are told nothing twice ([`TrackerMemory`]).
    - It stops early, and warns when validation turns up ([`ValidationWatch`]). `eval_on_start` holds for a run that
      begins, and not for one that goes on.
    - SIGTERM, SIGINT and SIGUSR1 have it finish the step, save a checkpoint and exit with 128 plus their number. What
      it goes on with from there is what it would have done: an evaluation that was due, the loss not yet logged.

    Raises (by `train` and `evaluate`):
        `FloatingPointError`: something is not finite; the message says what, and what to try.
        `OSError`: a checkpoint cannot be saved, as on a full disk.
        `SystemExit`: a signal stopped the run, after a checkpoint was saved.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.stop = StopRequest()
        self.tracker_failures = TrackerFailures()
        self.tracker_memory = TrackerMemory()
        self._guarded: list[TrainerCallback] = []
        self._guard_trackers()
        self.throughput = Throughput(self, getattr(self.data_collator, "block_size", 0))
        self.add_callback(self.throughput)
        self.add_callback(PieceLengths(self, self.split_facts.get("train")))
        self.watch = ValidationWatch(self)
        self.add_callback(self.watch)
        self._resumed_from: str | None = None
        self._evaluation_due = False
        self._due_evaluation: Callable[[], None] | None = None
        self._stopped_at: int | None = None
        self._evaluated: tuple[int, dict[str, float]] | None = None

    @property
    def trackers(self) -> list[TrainerCallback]:
        """The callbacks of trackers: those that transformers knows, and those of [`register_tracker`]."""
        return [callback for callback in self.callback_handler.callbacks if is_tracker(callback)]

    def _guard_trackers(self):
        for callback in self.trackers:
            if callback not in self._guarded:
                prepare_session(callback, functools.partial(self._session, tracker_name(callback)))
                guard_tracker(callback, self.tracker_failures, self.tracker_memory)
                self._guarded.append(callback)

    def finish_trackers(self, *, failed: bool = False):
        """
        Ends what trackers keep open.

        Args:
            failed (`bool`, *optional*, defaults to `False`): whether the run broke off.
        """
        for callback in self.trackers if self.is_world_process_zero() else ():
            with self.tracker_failures.watching(tracker_name(callback)):
                finish_session(callback, failed=failed)

    def _session(self, tracker: str) -> Session:
        """How the run is called by a tracker."""
        group = self.args.run_group or (self.shared_recipe or {}).get("corpus")
        return Session(self.tracker_memory.memory.id, group, run_tags(self), self.tracker_memory.knows(tracker))

    @staticmethod
    def get_optimizer_cls_and_kwargs(args, model=None):
        """As [`~transformers.Trainer.get_optimizer_cls_and_kwargs`], and Muon."""
        if args.optim == MUON:
            return muon_and_arguments(args, model)
        return Trainer.get_optimizer_cls_and_kwargs(args, model)

    def log(self, logs: dict[str, float], start_time: float | None = None):
        """As [`~transformers.Trainer.log`], but its speed goes with the loss, without what comes between steps."""
        super().log(logs | self.throughput.figures() if "loss" in logs else logs)

    def progress(self) -> dict:
        """As [`PushingTrainer.progress`], trackers that failed, and whether an evaluation is left to do."""
        due, failed = self._evaluation_due, self.tracker_failures.record()
        return {**super().progress(), "evaluation_due": due, "failed_trackers": failed}

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs):
        """As [`~transformers.Trainer.train`]; a run that is finished already trains no step more."""
        if resume_from_checkpoint is True:
            resume_from_checkpoint = last_checkpoint(self.args.output_dir)
            if resume_from_checkpoint is None:
                raise ValueError(f"There is no whole checkpoint in {self.args.output_dir}.")
        self._resumed_from = str(resume_from_checkpoint) if resume_from_checkpoint else None
        self._evaluation_due, self._stopped_at, self._evaluated, output = False, None, None, None
        self._begin_trackers()
        with self.stop.listening(), self._starting_evaluation(self._resumed_from is None):
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

    def _begin_trackers(self):
        self._guard_trackers()
        folder = Path(self.args.output_dir).absolute()
        goes_on = self._resumed_from is not None and Path(self._resumed_from).absolute().parent == folder
        with self.tracker_failures.watching(MEMORY_NAME):
            self.tracker_memory.begin(folder, goes_on=goes_on)
        self.args.told = identity(self) | {"tags": run_tags(self)}

    @contextlib.contextmanager
    def _starting_evaluation(self, is_start: bool) -> Iterator[None]:
        asked = self.args.eval_on_start
        self.args.eval_on_start = asked and is_start
        try:
            yield
        finally:
            self.args.eval_on_start = asked

    def evaluate(self, *args, **kwargs) -> dict[str, float]:
        """As [`~transformers.Trainer.evaluate`]; remembers what was found in training."""
        metrics = super().evaluate(*args, **kwargs)
        self._evaluated = (self.state.global_step, dict(metrics)) if self.is_in_train else None
        return metrics

    def evaluate_at_end(self) -> dict[str, float]:
        """
        Evaluates the model that training ended with.

        Where that was done after the last step, and the weights are still those, the metrics are the ones that were
        found then.
        """
        step, metrics = self._evaluated or (None, {})
        is_same = step == self.state.global_step and not self.args.load_best_model_at_end
        return metrics if is_same else self.evaluate()

    def _run_epoch(self, *, trial, ignore_keys_for_eval, **kwargs):
        if self._resumed_from is not None:
            self._take_up(trial, ignore_keys_for_eval)
        if self.control.should_training_stop:
            logger.warning("The run has stopped early already, at step %d: no step is left.", self.state.global_step)
            return
        if self.state.global_step >= self.state.max_steps:
            logger.warning("All %d steps are done already: nothing is trained.", self.state.max_steps)
            self._make_up_for_evaluation()
            self.control.should_training_stop = True
            return
        with contextlib.suppress(StoppedEarly):
            super()._run_epoch(trial=trial, ignore_keys_for_eval=ignore_keys_for_eval, **kwargs)

    def _take_up(self, trial, ignore_keys_for_eval):
        """Restores what the state of the Trainer leaves out."""
        checkpoint, self._resumed_from = self._resumed_from, None
        progress = read_progress(Path(checkpoint))
        take_up_loss(self, progress.get("unlogged_loss", 0.0), progress.get("last_logged_step"))
        self.tracker_failures.take_up(progress.get("failed_trackers", {}))
        self.failed_pushes = progress.get("failed_pushes", [])
        if progress.get("evaluation_due"):
            self._due_evaluation = functools.partial(self._evaluate_late, checkpoint, trial, ignore_keys_for_eval)

    def _load_rng_state(self, checkpoint):
        super()._load_rng_state(checkpoint)
        self._make_up_for_evaluation()
        if self.control.should_training_stop:
            raise StoppedEarly

    def _make_up_for_evaluation(self):
        """Draws the random numbers that the evaluation would have drawn in its time."""
        evaluate, self._due_evaluation = self._due_evaluation, None
        if evaluate is not None:
            evaluate()

    def _evaluate_late(self, checkpoint: str, trial, ignore_keys_for_eval):
        metrics = evaluate_in_training(self, trial, ignore_keys_for_eval)
        if is_best_so_far(self, metrics, trial):
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
        self.throughput.go_on()

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
