"""What Optuna keeps: a search that was stopped goes on as one that was not, and one of other values is refused."""

from types import SimpleNamespace

import optuna
import pytest
from optuna.trial import TrialState

from neuromusic_hf.searching import plan_search
from neuromusic_hf.searching.study import REASON, finished_trials, study_arguments, take_up_study
from neuromusic_hf.searching.trial_run import Pruning

SPACE = "learning_rate: {low: 1e-4, high: 1e-2, log: true}\nadam_beta2: [0.9, 0.99]\n"


@pytest.fixture
def plan(tmp_path):
    """Plans a search in a folder whose name URLs would misread."""

    def make(name="runs %20? #1", space=SPACE, recipe="seed: 5\n"):
        (tmp_path / name / "search").mkdir(parents=True, exist_ok=True)
        (tmp_path / "space.yaml").write_text(space)
        (tmp_path / "recipe.yaml").write_text(recipe)
        command = [str(tmp_path / "recipe.yaml"), "--output_dir", str(tmp_path / name), "--use_cpu", "true"]
        return plan_search(command, str(tmp_path / "space.yaml"))

    return make


def take_up(plan, storage=None):
    arguments = study_arguments(plan, prune=True)
    return take_up_study(plan, arguments if storage is None else arguments | {"storage": storage})


def run(study, plan, trials):
    """Trials whose figure is a function of their values; the third fails."""

    def objective(trial):
        values = plan.space.suggest(trial)
        if len(finished_trials(study)) == 2:
            trial.set_user_attr(REASON, "diverged")
            raise ValueError
        return values["learning_rate"] + values["adam_beta2"]

    study.optimize(objective, n_trials=trials, catch=ValueError)


def test_a_search_that_was_stopped_tries_what_an_unbroken_one_tries(plan):
    its, memory = plan(), optuna.storages.InMemoryStorage()
    whole = take_up(its, optuna.storages.InMemoryStorage())
    run(whole, its, 13)
    for trials in (1, 5):
        run(take_up(its, memory), its, trials)
    stopped = take_up(its, memory).ask()  # by a process that is killed then
    values = its.space.suggest(stopped)
    again = take_up(its, memory)
    run(again, its, 13 - len(finished_trials(again)))
    assert [trial.params for trial in finished_trials(again)] == [trial.params for trial in finished_trials(whole)]
    assert again.trials[stopped.number].state == TrialState.FAIL
    assert again.trials[stopped.number + 1].params == values
    assert len({str(trial.params) for trial in finished_trials(whole)}) == 13, "none is tried twice"


@pytest.mark.parametrize(("recipe", "is_tried"), [("learning_rate: 5e-4\nadam_beta2: 0.9", True), ("seed: 1", False)])
def test_the_values_of_the_recipe_are_tried_first_where_the_space_holds_them(plan, recipe, is_tried):
    its = plan(recipe=recipe)
    study = take_up(its, optuna.storages.InMemoryStorage())
    values = its.space.suggest(study.ask())
    assert (values == {"learning_rate": 5e-4, "adam_beta2": 0.9}) is is_tried


def test_what_does_not_compare_is_refused(plan, tmp_path):
    take_up(plan())
    take_up(plan())
    with pytest.raises(ValueError, match=r"(?s)made with other values.*weight_decay: not set there, 0.1 now"):
        take_up(plan(recipe="seed: 5\nweight_decay: 0.1"))
    with pytest.raises(ValueError, match=r"adam_beta2: \[0.9, 0.99\] there, \[0.9\] now"):
        take_up(plan(space=SPACE.replace(", 0.99", "")))
    with pytest.raises(ValueError, match="metric: nats_per_note there, token_accuracy now"):
        take_up(plan(recipe="seed: 5\nmetric_for_best_model: token_accuracy"))
    assert [path.name for path in (tmp_path / "runs %20? #1" / "search").iterdir()] == ["study.db"]


def test_it_goes_by_nats_per_note_if_no_metric_is_named(plan):
    assert plan().metric == "nats_per_note"
    best = plan(recipe="load_best_model_at_end: true\n")
    assert best.metric == "nats_per_note" == best.parse({}, best.folder)[2].metric_for_best_model
    assert plan(recipe="load_best_model_at_end: true\nmetric_for_best_model: loss\n").metric == "loss"


def test_a_pruner_ends_a_training_at_an_evaluation():
    class Always(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return True

    trial = optuna.create_study(pruner=Always()).ask()
    trainer = SimpleNamespace(is_in_train=True)
    pruning = Pruning(trainer, trial, lambda metrics: metrics["eval_loss"])
    control = SimpleNamespace(should_training_stop=False)
    for step, loss in ((10, 3.0), (20, 2.5)):  # a third of a run is never pruned
        assert not pruning.pruned and control.should_training_stop is False
        state = SimpleNamespace(global_step=step, max_steps=60)
        pruning.on_evaluate(None, state, control, metrics={"eval_loss": loss})
    assert pruning.pruned and control.should_training_stop is True
    trainer.is_in_train = False
    pruning.on_evaluate(None, state, control, metrics={"eval_loss": 9.0})
    assert trial.study.trials[0].intermediate_values == {10: 3.0, 20: 2.5}
