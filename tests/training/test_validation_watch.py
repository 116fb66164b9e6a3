"""A run stops early as the Trainer's own callback would, goes on counting where it goes on, and tells how it went."""

import itertools
import json
import logging
import random
import signal
from types import SimpleNamespace

import pytest
from transformers import EarlyStoppingCallback, TrainerCallback, TrainerControl, TrainerState

from neuromusic_hf.bundles.course import course_sentences, is_worse_than_start
from neuromusic_hf.checkpoints.folders import last_checkpoint
from neuromusic_hf.evaluation.course import TURN_EVALUATIONS, TURN_MARGIN, evaluations, stalled, turning
from neuromusic_hf.training import LanguageModelingMetrics, RunArguments, parse_recipe, save_run
from neuromusic_hf.training.validation_watch import TURNED_UP

NATS = "eval_nats_per_note"


def random_walk(seed):
    draw = random.Random(seed)
    return list(itertools.accumulate((draw.choice([-0.03, -0.01, 0.0, 0.01, 0.03]) for _ in range(20)), initial=2.0))


@pytest.mark.parametrize("threshold", [0.0, 0.015])
@pytest.mark.parametrize("greater_is_better", [False, True])
def test_it_counts_as_the_callback_of_the_trainer_does(greater_is_better, threshold):
    for seed in range(20):
        theirs = EarlyStoppingCallback(early_stopping_patience=3, early_stopping_threshold=threshold)
        args = SimpleNamespace(metric_for_best_model="loss", greater_is_better=greater_is_better)
        state, control, values = TrainerState(), TrainerControl(), []
        for value in random_walk(seed):
            values.append(value)
            theirs.on_evaluate(args, state, control, {"eval_loss": value})
            state.best_metric = (max if greater_is_better else min)(values)  # as the Trainer does afterwards
            assert stalled(values, greater_is_better, threshold) == theirs.early_stopping_patience_counter


def test_validation_turns_up_where_it_is_worse_than_the_best_for_long_enough():
    for seed in range(50):
        values = dict(zip(range(0, 210, 10), random_walk(seed), strict=True))
        expected = None
        for index in range(len(values)):
            seen = list(values.values())[: index + 1]
            best = min(seen)
            last = seen[-TURN_EVALUATIONS:]
            is_over = seen.index(best) < len(seen) - TURN_EVALUATIONS and min(last) > best + TURN_MARGIN
            expected = index if expected is None and is_over else expected
        found = turning(values)
        assert (found and found.seen_at_step) == (None if expected is None else 10 * expected)
        if found is not None:
            assert found.best == values[found.after_step] == min(list(values.values())[: expected + 1])
            assert found.risen_to == values[found.seen_at_step] > found.best + TURN_MARGIN


class Scripted(LanguageModelingMetrics):
    """Measures, and says what the test wants."""

    def __init__(self, values):
        super().__init__(4.0)
        self.values = iter(values)

    def __call__(self, prediction, compute_result):
        found = super().__call__(prediction, compute_result)
        return {**found, "nats_per_note": next(self.values)} if compute_result else found


@pytest.fixture
def scripted(make_trainer):
    """A run of nine steps at most, evaluated at each, whose evaluations give these values."""

    def make(values, name="run", **changed):
        settings = {
            "max_steps": 9,
            "eval_strategy": "steps",
            "eval_steps": 1,
            "save_steps": 1,
            "save_total_limit": None,
            "load_best_model_at_end": True,
            "metric_for_best_model": "nats_per_note",
            "early_stopping_patience": 2,
        }
        trainer = make_trainer(name, **(settings | changed))
        trainer.compute_metrics = Scripted(values)
        return trainer

    return make


def test_it_stops_early_and_keeps_the_best(scripted, tmp_path):
    run = scripted([3.0, 2.0, 2.1, 2.2, *[1.0] * 9])
    run.train()
    assert run.state.global_step == 4
    assert run.state.best_model_checkpoint == str(tmp_path / "run" / "checkpoint-2")
    course = run.watch.course
    assert (course["last_step"], course["kept_step"], course["stopped_early_after"]) == (4, 2, 2)
    assert course["nats_per_note"] == [
        {"step": step, "value": value} for step, value in enumerate([3.0, 2.0, 2.1, 2.2], 1)
    ]
    run.compute_metrics = Scripted([9.0] * 3)
    run.evaluate_at_end()
    assert run.watch.course == course, "what is measured after training is no part of it"


def test_gains_below_the_threshold_do_not_count(scripted):
    run = scripted([3.0, 2.99, 2.98, 1.0], early_stopping_threshold=0.05)
    run.train()
    assert run.state.global_step == 3 and run.watch.course["kept_step"] == 3
    assert (
        "Training stopped early, after step 3: 2 evaluations in a row were not better than the best before by more "
        "than 0.05."
    ) in course_sentences(run.watch.course)


def test_without_the_best_the_bundle_is_the_last_and_that_is_told(scripted, caplog):
    run = scripted([2.0, 2.1, 2.2], load_best_model_at_end=False)
    run.train()
    assert (run.watch.course["kept_step"], run.watch.course["kept_by"]) == (3, None)
    assert "the bundle will be that of the last step" in caplog.text


def test_a_run_that_ends_by_its_steps_did_not_stop_early(scripted):
    run = scripted([3.0, 3.1, 3.2], max_steps=3)
    run.train()
    assert run.watch.course["stopped_early_after"] is None and run.watch.course["kept_step"] == 1


def test_the_evaluation_before_the_first_step_is_recorded_and_not_counted(scripted, caplog):
    run = scripted([2.0, 3.0, 2.5, 2.6, 2.7], eval_on_start=True)
    with caplog.at_level(logging.INFO):
        run.train()
    course = run.watch.course
    assert run.state.global_step == 4 and course["nats_per_note"][0] == {"step": 0, "value": 2.0}
    assert course["kept_step"] == 2 and is_worse_than_start(course)
    assert "Training did not help" in caplog.text and "2.000 before training, 2.500 after step 2 of 4" in caplog.text


class At(TrainerCallback):
    """Asks the run to stop, in the evaluation of a step or after the step."""

    def __init__(self, step, in_evaluation):
        self.step, self.in_evaluation = step, in_evaluation

    def on_prediction_step(self, args, state, control, **kwargs):
        if self.in_evaluation and state.global_step == self.step:
            signal.raise_signal(signal.SIGTERM)

    def on_step_end(self, args, state, control, **kwargs):
        if not self.in_evaluation and state.global_step == self.step:
            signal.raise_signal(signal.SIGTERM)


VALUES = [2.5, 3.0, 2.0, 2.1, 2.2, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("number", "in_evaluation", "strategy"),
    [(1, False, "steps"), (3, True, "epoch"), (4, True, "steps"), (4, False, "epoch")],
)
def test_a_run_that_goes_on_goes_on_counting(scripted, tmp_path, number, in_evaluation, strategy):
    """The evaluation of the first, third or fourth is broken off; that of the fourth ends the run."""
    changed = {"eval_on_start": True, "eval_strategy": strategy, "save_strategy": strategy}
    if strategy == "epoch":
        changed |= {"max_steps": -1, "num_train_epochs": 9, "eval_steps": None, "per_device_train_batch_size": 20}
    changed["per_device_eval_batch_size"] = 2
    whole = scripted(VALUES, "whole", **changed)
    whole.train()
    per = whole.state.global_step // 4
    assert whole.watch.course["kept_step"] == 2 * per and whole.watch.course["stopped_early_after"] == 2
    stopped = scripted(VALUES, **changed)
    stopped.add_callback(At(number * per, in_evaluation))
    with pytest.raises(SystemExit):
        stopped.train()
    resumed = scripted(VALUES[number:], **changed)
    resumed.train(resume_from_checkpoint=str(last_checkpoint(tmp_path / "run")))
    assert resumed.watch.course == whole.watch.course
    assert resumed.state.global_step == whole.state.global_step
    measured = (evaluations(run.state.log_history, NATS) for run in (resumed, whole))
    assert next(measured) == next(measured)
    assert resumed.args.eval_on_start


def test_a_run_that_has_stopped_early_trains_no_step_more_unless_it_may(scripted, tmp_path):
    scripted([3.0, 3.1, 3.2]).train()
    again = scripted([1.0] * 9)
    again.train(resume_from_checkpoint=str(last_checkpoint(tmp_path / "run")))
    assert again.state.global_step == 3 and again.watch.course["kept_step"] == 1
    longer = scripted([2.0, 2.1, 2.2, 2.3], early_stopping_patience=3)
    longer.train(resume_from_checkpoint=str(last_checkpoint(tmp_path / "run")))
    assert longer.state.global_step == 7 and longer.watch.course["kept_step"] == 4


class Tracker(TrainerCallback):
    def __init__(self):
        self.logged = []

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.logged.append((state.global_step, dict(logs)))


def test_a_model_that_learns_by_heart_is_told_of_once(make_trainer, caplog):
    changed = {"eval_strategy": "steps", "eval_steps": 5, "save_strategy": "no", "logging_strategy": "no"}
    run = make_trainer(max_steps=60, lr_scheduler_type="constant", **changed)
    run.train_dataset = run.train_dataset.select(range(2))
    tracker = Tracker()
    run.add_callback(tracker)
    run.train()
    turned = run.watch.course["turned_up"]
    values = {each["step"]: each["value"] for each in run.watch.course["nats_per_note"]}
    assert values[60] > min(values.values()) + TURN_MARGIN, "the model is to overfit"
    assert caplog.text.count("Validation turned up after step") == 1
    told = [(step, logs[TURNED_UP]) for step, logs in tracker.logged if TURNED_UP in logs]
    assert told == [(turned["seen_at_step"], turned["after_step"])]
    assert turned["best"] == values[turned["after_step"]] and run.watch.course["kept_step"] == 60
    assert any("Validation turned up" in each for each in course_sentences(run.watch.course))


def test_the_record_and_the_card_tell_it(scripted, tmp_path):
    run = scripted([4.0, 3.0, 2.0, 2.1, 2.2, 1.0], eval_on_start=True)
    metrics = run.train().metrics
    save_run(run, {}, metrics)
    course = json.loads((tmp_path / "run" / "bundle" / "run.json").read_text())["course"]
    assert course == run.watch.course
    card = (tmp_path / "run" / "bundle" / "README.md").read_text()
    for sentence in (
        "4.000 before training, 2.000 after step 2 of 4, which this bundle holds.",
        "Training stopped early, after step 4: 2 evaluations in a row were no better than the best.",
        "Validation turned up after step 2, from 2.000 to 2.200 nats per note",
    ):
        assert sentence in card


@pytest.mark.parametrize(
    "course",
    [{}, {"nats_per_note": [3, {"step": "x"}], "kept_step": "1", "turned_up": []}, {"stopped_early_after": 1}],
)
def test_a_strangers_record_is_told_as_far_as_it_is_one(course):
    assert course_sentences(course) == []


def test_what_would_never_stop_is_refused(tmp_path):
    output = ["--output_dir", str(tmp_path)]
    with pytest.raises(ValueError, match="early_stopping_patience=2 has no effect with eval_strategy=no"):
        parse_recipe([*output, "--early_stopping_patience", "2", "--eval_strategy", "no"])
    with pytest.raises(ValueError, match="early_stopping_threshold=0.1 has no effect with early_stopping_patience"):
        parse_recipe([*output, "--early_stopping_threshold", "0.1"])
    with pytest.raises(ValueError, match="early_stopping_patience=0"):
        parse_recipe([*output, "--early_stopping_patience", "0"])
    with pytest.raises(ValueError, match="early_stopping_patience needs evaluations to go by"):
        RunArguments(output_dir=str(tmp_path), eval_strategy="no", early_stopping_patience=2)
    args = parse_recipe([*output, "--early_stopping_patience", "2"])[2]
    assert (args.metric_for_best_model, args.greater_is_better) == ("loss", False)
