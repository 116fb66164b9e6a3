"""A trial: the run that `scripts/train.py` makes of a recipe and some values, until a pruner stops it."""

from collections.abc import Callable
from pathlib import Path

import optuna
import yaml
from optuna.trial import Trial
from transformers import TrainerCallback, set_seed

from ..bundles.files import RECIPE_NAME
from ..checkpoints import begin_run, settle_run_splits
from ..disk import write_whole
from ..monitoring import check_watching, watch_continuations
from ..options import DataArguments, ModelArguments, RunArguments, resolved_recipe
from ..training import (
    MusicTrainer,
    check_run,
    create_trainer,
    ended_run,
    prepare_data,
    prepare_model,
    save_run,
    settle_infill_share,
)
from ..training.run_data import RunData
from .trial_tracking import trackers_of_trial

Objective = Callable[[dict[str, float]], float]
"""From the metrics of an evaluation to the figure that is searched for."""

OF_TOKENS = ("model", "revision", "tokenization", "tokenization_config", "vocabulary_model", "vocab_size")
"""Of the arguments of a model, those that the data of its run depend on."""


UNPRUNED_SHARE = 1 / 3
"""Of a run, at its beginning: who learns fastest there is often not who learns most."""


class DataOfTrials:
    """The data of the last trial, which the next one takes if its arguments make the same."""

    def __init__(self):
        self._made_of: list = []
        self._data: RunData | None = None
        self._infill_share: float | None = None

    def prepare(
        self, model_args: ModelArguments, data_args: DataArguments, args: RunArguments, *, infill_asked: bool
    ) -> RunData:
        """As [`prepare_data`], which may find that nothing can be filled in, and set that share to 0."""
        made_of = [{name: getattr(model_args, name) for name in OF_TOKENS}, dict(vars(data_args)), args.seed]
        if self._data is None or made_of != self._made_of:
            self._data = None  # before the next one takes memory
            self._data = prepare_data(model_args, data_args, args, infill_asked=infill_asked)
            self._made_of, self._infill_share = made_of, data_args.infill_share
        data_args.infill_share = self._infill_share
        return self._data


class Pruning(TrainerCallback):
    """
    Tells Optuna of each evaluation of a trial, and ends the training where the pruner says so.

    The Trainer would raise where it stands; so trackers, files and memory end as in a run that stops early.

    Args:
        trainer ([`MusicTrainer`]): of the trial.
        trial ([`~optuna.trial.Trial`]): of the study.
        objective (`Callable`): from the metrics of an evaluation to the figure that is searched for.
    """

    def __init__(self, trainer: MusicTrainer, trial: Trial, objective: Objective):
        self.trainer = trainer
        self.trial = trial
        self.objective = objective
        self.pruned = False

    def on_evaluate(self, args, state, control, metrics=None, **kwargs):
        """Called by the Trainer after each evaluation, that after training included."""
        if not self.trainer.is_in_train:
            return
        self.trial.report(self.objective(metrics), state.global_step)
        self.pruned = state.global_step >= UNPRUNED_SHARE * state.max_steps and bool(self.trial.should_prune())
        control.should_training_stop = control.should_training_stop or self.pruned


def run_trial(
    trial: Trial,
    names: tuple[str, str],
    arguments: tuple[ModelArguments, DataArguments, RunArguments],
    objective: Objective,
    data_of_trials: DataOfTrials,
) -> float:
    """
    Trains a model, and leaves a bundle and its whole recipe in the folder of its run.

    Args:
        trial ([`~optuna.trial.Trial`]): of the study, which gets the number of parameters.
        names (`tuple[str, str]`): for trackers: of the run, and of the group of runs where the arguments say none.
        arguments (`tuple`): of the run, those of its model, its data and itself.
        objective (`Callable`): from the metrics of an evaluation to the figure that is searched for.
        data_of_trials ([`DataOfTrials`]): of the search.

    Returns:
        `float`: that figure of the model that training ended with.

    Raises:
        `optuna.TrialPruned`: the pruner stopped it.
        `ValueError`, `FloatingPointError`, `RuntimeError`: as of any run.
    """
    model_args, data_args, args = arguments
    with begin_run(args, resolved_recipe(model_args, data_args, args)):
        check_run(model_args, data_args, args)
        check_watching(args, data_args)
        settle_run_splits(model_args, data_args, None)
        set_seed(args.seed)
        infill_asked = settle_infill_share(model_args, data_args, args)
        data = data_of_trials.prepare(model_args, data_args, args, infill_asked=infill_asked)
        model = prepare_model(model_args, data_args, data)
        trial.set_user_attr("parameters", model.num_parameters())
        recipe = resolved_recipe(model_args, data_args, args)
        write_whole(Path(args.output_dir, RECIPE_NAME), yaml.safe_dump(recipe, sort_keys=False))
        args.run_name, group = names
        args.run_group = args.run_group or group
        origin = data.corpus.provenance
        trainer = create_trainer(model, data.processor, data.blocks, data_args, args, recipe, origin)
        validation = data.corpus["validation"], data.tokens["validation"]
        watch_continuations(trainer, *validation, data_args, training=data.corpus.get("train"))
        pruning = Pruning(trainer, trial, objective)
        trainer.add_callback(pruning)
        with ended_run(trainer), trackers_of_trial(trainer):
            metrics = trainer.train().metrics
            if not pruning.pruned:
                metrics |= trainer.evaluate_at_end()
                trainer.finish_trackers()
                save_run(trainer, data.blocks.facts, metrics)
    if pruning.pruned:
        raise optuna.TrialPruned
    return objective(metrics)
