"""The Trainer of a search: its `hyperparameter_search` asks Optuna, and each of its trials is a run of its own."""

import logging
import math

import torch
from accelerate.utils import release_memory
from optuna import TrialPruned
from optuna.study import Study
from optuna.trial import Trial
from tqdm import tqdm

from ..options import RunArguments
from ..training.searching_trainer import SearchingTrainer
from .plan import SearchPlan
from .results import keep_best, write_results
from .study import REASON, finished_trials
from .trial_run import DataOfTrials, run_trial
from .trial_tracking import search_name

logger = logging.getLogger(__name__)

FAILURES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError),
)
"""Of a trial alone: it diverged, took too much memory, or its values make no model. A full disk ends the search."""

OF_PROCESS = ("bf16", "fp16", "use_cpu", "full_determinism")
"""Arguments that hold for all Trainers of a process."""


class SearchTrainer(SearchingTrainer):
    """
    [`~transformers.Trainer`] of a search.

    A trial is what `scripts/train.py` makes of the recipe and the values of the trial: it has a folder, a model, a
    Trainer, callbacks and trackers of its own, and whatever follows from its arguments is as in any run. The search
    itself trains nothing, and holds no weights.

    Args:
        plan ([`SearchPlan`]): of the search.
        bar ([`~tqdm.tqdm`]): of its trials.
        keep_bundles (`bool`): whether the bundle of every trial stays, not that of the best one alone.
    """

    def __init__(self, plan: SearchPlan, bar: tqdm, *, keep_bundles: bool):
        of_process = {name: getattr(plan.args, name) for name in OF_PROCESS}
        args = RunArguments(
            output_dir=str(plan.folder), metric_for_best_model=plan.metric, eval_strategy="no", **of_process
        )
        super().__init__(args=args, model_init=lambda: torch.nn.Module())
        self.plan, self.bar, self.keep_bundles = plan, bar, keep_bundles
        self.data_of_trials = DataOfTrials()

    def settle(self, study: Study):
        """Writes what the trials of a study have come to so far."""
        self.bar.update(len(finished_trials(study)) - self.bar.n)
        keep_best(self.plan, study, keep_bundles=self.keep_bundles)
        write_results(self.plan, study)

    def train(self, resume_from_checkpoint: None = None, *, trial: Trial, **kwargs):
        """
        Runs a trial, and leaves its figure as the `objective`.

        Raises:
            `SystemExit`: a signal stopped it. The search goes on with the same command.
        """
        self.settle(trial.study)
        release_memory()
        values = self.hp_space(trial)
        logger.info(
            "Trial %d: %s.", trial.number, ", ".join(f"{name}={_short(each)}" for name, each in values.items())
        )
        try:
            arguments = self.plan.parse(values, self.plan.trial_folder(trial.number))
            names = self.hp_name(trial), search_name(self.plan)
            self.objective = run_trial(trial, names, arguments, self.compute_objective, self.data_of_trials)
            if not math.isfinite(self.objective):
                raise ArithmeticError(f"{self.plan.metric} is {self.objective}.")
            logger.info("Trial %d: %s=%.5g.", trial.number, self.plan.metric, self.objective)
        except TrialPruned:
            logger.info("Trial %d was pruned, as it lay behind others.", trial.number)
            raise
        except FAILURES as error:
            trial.set_user_attr(REASON, f"{type(error).__name__}: {error}")
            logger.warning("Trial %d failed, and the search goes on: %s", trial.number, error)
            raise
        except (SystemExit, KeyboardInterrupt) as stop:
            logger.warning("Stopped in trial %d, which begins anew when the same command goes on.", trial.number)
            raise stop if isinstance(stop, SystemExit) else SystemExit(130) from None  # Optuna knows the trial runs


def _short(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
