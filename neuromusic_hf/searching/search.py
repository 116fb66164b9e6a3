"""Searches, or goes on searching."""

import logging
from dataclasses import dataclass

import optuna
from optuna.study import Study
from tqdm import tqdm

from ..disk import whole_file
from .pictures import plot_search
from .plan import SearchPlan
from .search_trainer import FAILURES, SearchTrainer
from .study import REASON, best_trial, finished_trials, study_arguments, take_up_study
from .trial_tracking import check_run_id, search_name

logger = logging.getLogger(__name__)

PICTURE_FILE = "search.png"


@dataclass(frozen=True)
class SearchOptions:
    """
    How long a search goes on, and what it leaves.

    Args:
        trials (`int`): of the whole search; those of an earlier call count.
        prune (`bool`, *optional*, defaults to `True`): stop trials that lie behind the median of the others.
        keep_bundles (`bool`, *optional*, defaults to `False`): of all trials, not that of the best one alone.
    """

    trials: int
    prune: bool = True
    keep_bundles: bool = False


def run_search(plan: SearchPlan, options: SearchOptions) -> Study:
    """
    Searches until so many trials have ended; one that was stopped goes on.

    Its folder gets the study, a record and a table of the trials, a picture, and the recipe and the bundle of the
    best one. The caller holds the folder ([`lock_folder`]).

    Args:
        plan ([`SearchPlan`]): what to search, and in what.
        options ([`SearchOptions`]): how long.

    Returns:
        [`~optuna.study.Study`]: with all trials.

    Raises:
        `RuntimeError`: no trial came to its end; the message has the reasons.
        `ValueError`: the folder holds a search that was made with other values.
        `SystemExit`: a signal stopped it.
    """
    check_run_id(plan)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    arguments = study_arguments(plan, prune=options.prune)
    study = take_up_study(plan, arguments)
    left = options.trials - len(finished_trials(study))
    with tqdm(total=options.trials, desc="trials") as bar:
        trainer = SearchTrainer(plan, bar, keep_bundles=options.keep_bundles)
        if left > 0:
            _search(trainer, study, left, arguments)
        else:
            logger.info("All %d trials have ended already: ask for more by --trials.", options.trials)
        trainer.settle(study)
    picture = plot_search(study, plan.space, plan.metric)
    if picture is None:
        reasons = {f"  trial {trial.number}: {trial.user_attrs.get(REASON)}" for trial in finished_trials(study)}
        raise RuntimeError("No trial came to its end:\n" + "\n".join(sorted(reasons)))
    with whole_file(plan.folder / PICTURE_FILE) as partial:
        picture.savefig(partial, format="png")
    return study


def _search(trainer: SearchTrainer, study: Study, trials: int, arguments: dict):
    plan = trainer.plan
    name = search_name(plan)
    try:
        trainer.hyperparameter_search(
            hp_space=plan.space.suggest,
            n_trials=trials,
            backend="optuna",
            hp_name=lambda trial: f"{name}-trial-{trial.number:03d}",
            catch=FAILURES,
            **arguments,
        )
    except ValueError:  # of Optuna, which gives the best trial in the end, where there is none
        if best_trial(study) is not None:
            raise
