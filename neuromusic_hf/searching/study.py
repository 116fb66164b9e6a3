"""The study of a search: what Optuna keeps of its trials, in a file, so that a search that was killed goes on."""

import contextlib
import logging
import sqlite3
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from ..evaluation.language_modeling import greater_is_better
from ..ranges import check_seed
from .plan import SearchPlan, base_values

logger = logging.getLogger(__name__)

STUDY_FILE = "study.db"
STUDY_NAME = "search"
REASON = "reason"
"""Attribute of a trial that failed: why. One without it was stopped from outside."""

AGAIN = "again"
"""Attribute of a trial that tries again what another one was stopped at: the number of that one."""

MADE_WITH = "made_with"
"""Attribute of a study: its recipe, space and metric."""

NOT_COMPARED = (
    *("output_dir", "run_name", "run_group", "report_to", "project"),
    *("num_proc", "per_device_eval_batch_size", "logging_steps"),
)
"""Of the recipe: may be other ones where a search goes on."""

STARTUP_TRIALS = 5
"""That are not pruned: of fewer, a median says little."""


class TrialSampler(BaseSampler):
    """
    Draws as [`~optuna.samplers.TPESampler`], each trial from a seed and the number of trials before it.

    A sampler is not saved with a study: one that goes on with the same seed would draw again what it has drawn.

    Args:
        seed (`int`): of the search.
    """

    def __init__(self, seed: int):
        self.seed = seed
        self._sampler = TPESampler(seed=seed)

    def before_trial(self, study: Study, trial: FrozenTrial):
        """As of [`~optuna.samplers.BaseSampler`]."""
        self._sampler = TPESampler(seed=(self.seed + len(finished_trials(study))) % 2**32)
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict:
        """As of [`~optuna.samplers.BaseSampler`]."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict) -> dict[str, Any]:
        """As of [`~optuna.samplers.BaseSampler`]."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution) -> Any:
        """As of [`~optuna.samplers.BaseSampler`]."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values):
        """As of [`~optuna.samplers.BaseSampler`]."""
        self._sampler.after_trial(study, trial, state, values)


def study_arguments(plan: SearchPlan, *, prune: bool) -> dict[str, Any]:
    """The arguments of `optuna.create_study`, which `hyperparameter_search` of a Trainer takes, but the direction."""
    check_seed(plan.args.seed)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS)
    return {
        "study_name": STUDY_NAME,
        "storage": _storage(plan.folder / STUDY_FILE),
        "load_if_exists": True,
        "sampler": TrialSampler(plan.args.seed),
        "pruner": pruner if prune else optuna.pruners.NopPruner(),
    }


def take_up_study(plan: SearchPlan, arguments: dict[str, Any]) -> Study:
    """
    Begins the study of a search, or goes on with it.

    A new one is to try the values of the recipe first, where the space holds them. Trials that were stopped from
    outside are to be tried again.

    Args:
        plan ([`SearchPlan`]): of the search.
        arguments (`dict`): from [`study_arguments`].

    Raises:
        `ValueError`: the study was made with another recipe, space or metric.
    """
    study = optuna.create_study(direction=direction(plan.metric), **arguments)
    made_with = {"recipe": _compared(plan.recipe), "space": plan.space.described(), "metric": plan.metric}
    if MADE_WITH not in study.user_attrs:
        if (first := base_values(plan)) is not None:
            study.enqueue_trial(first, skip_if_exists=True)
        study.set_user_attr(MADE_WITH, made_with)
    _refuse_differences(plan.folder, study.user_attrs[MADE_WITH], made_with)
    _try_again(study)
    return study


def direction(metric: str) -> str:
    """Which way a metric gets better, in Optuna's words."""
    return "maximize" if greater_is_better(metric) else "minimize"


def finished_trials(study: Study) -> list[FrozenTrial]:
    """All that came to their end, were pruned, or failed by themselves."""
    ended = study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL])
    return [trial for trial in ended if trial.state != TrialState.FAIL or REASON in trial.user_attrs]


def best_trial(study: Study) -> FrozenTrial | None:
    """The one of the best value; `None` where none came to its end."""
    with contextlib.suppress(ValueError):
        return study.best_trial
    return None


def _storage(path: Path) -> RDBStorage:
    """In a file of SQLite, opened by its path: a URL would read %, ? and # in it as something else."""
    return RDBStorage("sqlite://", engine_kwargs={"creator": lambda: sqlite3.connect(path)})


def _try_again(study: Study):
    """Trials that were stopped from outside, or still run as this process alone has the study, are to run anew."""
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
    tried = {trial.user_attrs.get(AGAIN) for trial in study.trials}
    for trial in study.get_trials(states=[TrialState.FAIL]):
        if trial.params and REASON not in trial.user_attrs and trial.number not in tried:
            logger.info("Trial %d was stopped on its way, and its values are tried again.", trial.number)
            study.enqueue_trial(trial.params, user_attrs={AGAIN: trial.number})


def _compared(recipe: dict) -> dict:
    return {name: value for name, value in recipe.items() if name not in NOT_COMPARED}


def _refuse_differences(folder: Path, there: dict, now: dict):
    differences = [
        f"  {name}: {there[part].get(name, 'not set')} there, {now[part].get(name, 'not set')} now"
        for part in ("recipe", "space")
        for name in sorted(there[part].keys() | now[part].keys())
        if there[part].get(name) != now[part].get(name)
    ]
    if there["metric"] != now["metric"]:
        differences.append(f"  metric: {there['metric']} there, {now['metric']} now")
    if differences:
        raise ValueError(
            f"The search in {folder} was made with other values, so that its trials do not compare:\n"
            + "\n".join(differences)
            + "\nLeave these out to go on with it, or begin a new one in another output_dir."
        )
