"""The best checkpoint is the best one: by every metric, for whatever reads the arguments."""

import itertools
import json
import types

import pytest
from datasets import Dataset
from transformers import EarlyStoppingCallback, GPT2Config, GPT2LMHeadModel

from neuromusic_hf.evaluation.language_modeling import METRICS, greater_is_better
from neuromusic_hf.tokenization import BlockCollator
from neuromusic_hf.training import (
    LanguageModelingMetrics,
    MusicTrainer,
    RunArguments,
    parse_recipe,
    resolved_recipe,
    row_statistics,
)

WORSE_AND_WORSE = {
    "loss": [1.0, 2.0, 3.0],
    "perplexity": [3.0, 7.0, 20.0],
    "token_accuracy": [0.6, 0.5, 0.4],
    "nats_per_note": [4.0, 8.0, 12.0],
}


class Scripted(LanguageModelingMetrics):
    """Measures, and says what the test wants."""

    def __init__(self):
        super().__init__(4.0)
        self.evaluations = itertools.count()

    def __call__(self, prediction, compute_result):
        values = super().__call__(prediction, compute_result)
        index = min(next(self.evaluations), 2) if compute_result else 0
        return {name: WORSE_AND_WORSE[name][index] for name in values}


@pytest.fixture
def trainer(tmp_path):
    def make(**changed):
        values = {"max_steps": 3, "eval_steps": 1, "save_steps": 1, "save_total_limit": None, "disable_tqdm": True}
        args = RunArguments(output_dir=str(tmp_path / "run"), bf16=False, **(values | changed))
        rows = Dataset.from_dict({"input_ids": [[1, 2, 3, 4]] * 8})
        return MusicTrainer(
            model_init=lambda: GPT2LMHeadModel(GPT2Config(vocab_size=8, n_embd=8, n_layer=1, n_head=1, n_positions=8)),
            args=args,
            train_dataset=rows,
            eval_dataset=rows,
            data_collator=BlockCollator(0, 8),
            compute_metrics=Scripted(),
            preprocess_logits_for_metrics=row_statistics,
        )

    return make


@pytest.mark.parametrize("prefix", ["", "eval_"])
@pytest.mark.parametrize("metric", METRICS)
def test_of_checkpoints_that_get_worse_the_first_is_kept(trainer, metric, prefix, tmp_path):
    run = trainer(load_best_model_at_end=True, metric_for_best_model=prefix + metric, save_total_limit=1)
    run.train()
    assert run.state.best_model_checkpoint == str(tmp_path / "run" / "checkpoint-1")
    assert run.state.best_metric == WORSE_AND_WORSE[metric][0]
    assert [path.name for path in (tmp_path / "run").glob("checkpoint-1")]


@pytest.mark.parametrize("metric", METRICS)
def test_only_better_checkpoints_are_saved_and_training_stops_early(trainer, metric, tmp_path):
    run = trainer(save_strategy="best", metric_for_best_model=metric, max_steps=9, save_steps=500)
    run.add_callback(EarlyStoppingCallback(early_stopping_patience=1))
    run.train()
    assert [path.name for path in (tmp_path / "run").glob("checkpoint-*")] == ["checkpoint-1"]
    assert run.state.global_step == 2


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scheduler", ["reduce_lr_on_plateau", "greedy"])
def test_a_scheduler_that_follows_the_metric_knows_its_direction(trainer, metric, scheduler):
    run = trainer(lr_scheduler_type=scheduler, metric_for_best_model=metric, lr_scheduler_kwargs={"patience": 0})
    run.train()
    assert run.lr_scheduler.mode == ("max" if METRICS[metric] else "min")
    assert run.lr_scheduler.best == WORSE_AND_WORSE[metric][0] if scheduler == "reduce_lr_on_plateau" else True


def test_without_a_metric_loss_decides(trainer):
    args = trainer(save_strategy="best").args
    assert (args.metric_for_best_model, args.greater_is_better) == ("loss", False)


@pytest.mark.parametrize("metric", METRICS)
def test_a_search_looks_for_the_metric_in_its_direction(trainer, metric, monkeypatch):
    found = {}

    def search(run, n_trials, direction, **kwargs):
        metrics = {f"eval_{name}": values[0] for name, values in WORSE_AND_WORSE.items()}
        found.update(direction=direction, objective=run.compute_objective(metrics))

    backend = types.SimpleNamespace(ensure_available=lambda: None, run=search, default_hp_space=None)
    monkeypatch.setattr("transformers.trainer.ALL_HYPERPARAMETER_SEARCH_BACKENDS", {"optuna": lambda: backend})
    run = trainer(metric_for_best_model=metric)
    run.hyperparameter_search(backend="optuna")
    assert found == {
        "direction": "maximize" if METRICS[metric] else "minimize",
        "objective": WORSE_AND_WORSE[metric][0],
    }
    with pytest.raises(ValueError, match=f"worst {metric}"):
        run.hyperparameter_search(backend="optuna", direction="minimize" if METRICS[metric] else "maximize")


def test_the_direction_of_a_metric_of_one_of_several_datasets():
    assert greater_is_better("eval_folk_token_accuracy") is True
    assert greater_is_better("folk_nats_per_note") is False
    assert greater_is_better("eval_runtime") is False and greater_is_better("eval_samples_per_second") is True
    assert greater_is_better("naughtiness") is None


@pytest.fixture
def parse(tmp_path):
    return lambda *options: parse_recipe(["--output_dir", str(tmp_path), "--load_best_model_at_end", *options])


def test_a_metric_that_no_evaluation_gives_is_refused_with_those_there_are(parse, tmp_path):
    with pytest.raises(ValueError, match="'nats' is none of loss, perplexity, token_accuracy, nats_per_note"):
        parse("--metric_for_best_model", "nats")
    with pytest.raises(ValueError, match="folk_loss"):
        parse("--metric_for_best_model", "folk_loss")
    with pytest.raises(ValueError, match="Scores of continuations are logged"):
        parse("--metric_for_best_model", "eval_continuations/pitch_kl")
    with pytest.raises(ValueError, match="f1"):
        RunArguments(output_dir=str(tmp_path), metric_for_best_model="f1")
    assert RunArguments(output_dir=str(tmp_path), metric_for_best_model="f1", greater_is_better=True).greater_is_better


@pytest.mark.parametrize("metric", METRICS)
def test_the_worst_checkpoint_is_not_kept_even_where_it_is_asked_for(parse, metric):
    with pytest.raises(ValueError, match=f"greater_is_better={not METRICS[metric]}.*worst checkpoint"):
        parse("--metric_for_best_model", metric, "--greater_is_better", str(not METRICS[metric]))
    with pytest.raises(ValueError, match="mode.*leave the mode out"):
        mode = json.dumps({"mode": "min" if METRICS[metric] else "max"})
        options = ("--lr_scheduler_type", "reduce_lr_on_plateau", "--lr_scheduler_kwargs", mode)
        parse("--metric_for_best_model", metric, *options)


def test_a_choice_without_evaluations_is_refused(parse, tmp_path):
    with pytest.raises(ValueError, match="load_best_model_at_end needs evaluations to go by"):
        parse("--eval_strategy", "no", "--save_strategy", "no")
    with pytest.raises(ValueError, match="save_strategy best needs evaluations to go by"):
        parse_recipe(["--output_dir", str(tmp_path), "--eval_strategy", "no", "--save_strategy", "best"])


def test_another_metric_can_be_chosen_above_a_resolved_recipe(parse, tmp_path):
    resolved = resolved_recipe(*parse("--metric_for_best_model", "nats_per_note"))
    assert "greater_is_better" not in resolved
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(resolved))
    args = parse_recipe([str(path), "--metric_for_best_model", "token_accuracy"])[2]
    assert args.greater_is_better is True
