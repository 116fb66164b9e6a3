"""What evaluations say of infilling, against naive sums; and runs of scripts/train.py that learn it."""

import json
import signal
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, TrainerCallback

from neuromusic_hf import MidiProcessor, load_corpus
from neuromusic_hf.checkpoints.folders import last_checkpoint
from neuromusic_hf.infilling.sample_dataset import draw_samples
from neuromusic_hf.training import parse_recipe
from neuromusic_hf.training.infill_trainer import InfillSplit


@pytest.fixture
def infilling(make_trainer, tokens):
    """Builds a Trainer that measures on rows whose last ids count."""
    rows = Dataset.from_dict(
        {
            "input_ids": [
                ids[:length] for ids, length in zip(tokens["validation"]["input_ids"], (60, 30, 9), strict=False)
            ],
            "labels": [
                [-100] * (length - asked) + ids[length - asked : length]
                for ids, length, asked in zip(tokens["validation"]["input_ids"], (60, 30, 9), (20, 5, 8), strict=False)
            ],
        }
    ).with_format("numpy")

    def make(name="run", **changed):
        trainer = make_trainer(name, **changed)
        trainer.infill_splits = {"eval": InfillSplit(rows, tokens_per_note=33 / 7)}
        return trainer

    return make


def naive_nats(model, rows) -> tuple[float, int, int]:
    """Nats, right predictions and predictions of the labels that count, one token after the other."""
    nats, right, asked = 0.0, 0, 0
    for row in rows:
        ids, labels = (torch.as_tensor(row[name]).tolist() for name in ("input_ids", "labels"))
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0].double()
        for place in range(1, len(ids)):
            if labels[place] != -100:
                nats -= logits[place - 1].log_softmax(-1)[labels[place]].item()
                right += int(logits[place - 1].argmax() == labels[place])
                asked += 1
    return nats, right, asked


def test_the_figures_are_those_of_a_naive_loop_and_the_others_as_ever(infilling, make_trainer):
    trainer = infilling()
    metrics, plain = trainer.evaluate(), make_trainer("plain").evaluate()
    nats, right, asked = naive_nats(trainer.model.eval(), trainer.infill_splits["eval"].rows)
    assert asked == 33
    assert metrics["eval_infill_loss"] == pytest.approx(nats / asked, rel=1e-5)
    assert metrics["eval_infill_nats_per_note"] == pytest.approx(nats / 7, rel=1e-5)
    assert metrics["eval_infill_token_accuracy"] == pytest.approx(right / asked)
    speed = {"eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "eval_model_preparation_time"}
    assert {name: metrics[name] for name in plain.keys() - speed} == {
        name: plain[name] for name in plain.keys() - speed
    }
    assert metrics.keys() - plain.keys() == {
        f"eval_infill_{name}" for name in ("loss", "perplexity", "token_accuracy", "nats_per_note")
    }
    assert trainer.evaluate(metric_key_prefix="test").keys().isdisjoint({"test_infill_loss"})


def test_one_evaluation_logs_it_once_with_the_rest(infilling):
    trainer = infilling(eval_strategy="steps", eval_steps=3)
    trainer.train()
    entries = [entry for entry in trainer.state.log_history if "eval_loss" in entry]
    assert [entry["step"] for entry in entries] == [3, 6]
    assert all("eval_infill_nats_per_note" in entry for entry in entries)
    assert trainer.evaluate_at_end()["eval_infill_loss"] == entries[-1]["eval_infill_loss"]


def test_the_best_checkpoint_can_be_the_best_at_infilling(infilling, monkeypatch):
    changed = {"eval_strategy": "steps", "eval_steps": 2, "load_best_model_at_end": True}
    trainer = infilling(metric_for_best_model="eval_infill_nats_per_note", **changed)
    trainer.train()
    measured = {
        entry["step"]: entry["eval_infill_nats_per_note"]
        for entry in trainer.state.log_history
        if "eval_infill_nats_per_note" in entry
    }
    assert trainer.state.best_metric == min(measured.values())
    assert Path(trainer.state.best_model_checkpoint).name == f"checkpoint-{min(measured, key=measured.get)}"


def test_a_stop_while_infilling_is_measured_repeats_the_evaluation(infilling, tmp_path):
    changed = {"eval_strategy": "steps", "eval_steps": 3, "per_device_eval_batch_size": 1}
    whole = infilling("whole", **changed)
    whole.train()
    trainer, batches = infilling(**changed), []

    class InEvaluation(TrainerCallback):
        def on_prediction_step(self, args, state, control, **kwargs):
            batches.append(state.global_step)
            if len(batches) == 5:  # of 4 ordinary blocks and 3 samples
                signal.raise_signal(signal.SIGTERM)

    trainer.add_callback(InEvaluation())
    with pytest.raises(SystemExit):
        trainer.train()
    assert batches == [3] * 5
    resumed = infilling(**changed)
    resumed.train(resume_from_checkpoint=str(last_checkpoint(tmp_path / "run")))

    def logged(run, name):
        return {entry["step"]: entry[name] for entry in run.state.log_history if name in entry}

    for name in ("loss", "eval_loss", "eval_infill_loss"):
        assert logged(resumed, name) == logged(whole, name)


def record_of(folder):
    return json.loads((folder / "bundle" / "run.json").read_text())


def test_a_run_learns_to_fill_in_and_says_so(train, options, tmp_path, midi_folder):
    few = {"infill_share": 0.5, "context_length": 128, "eval_steps": None, "eval_strategy": "no", "save_steps": 500}
    train([*options("short", **few, max_steps=1), "--do_test"])
    train([*options("long", **few, max_steps=40), "--do_test"])
    short, long = (record_of(tmp_path / name)["metrics"] for name in ("short", "long"))
    for prefix in ("eval", "test"):
        for metric in ("loss", "infill_loss"):
            assert long[f"{prefix}_{metric}"] < short[f"{prefix}_{metric}"] - 0.5
    facts = record_of(tmp_path / "long")["splits"]
    assert 0.5 <= facts["train"]["infill"]["share"] < 0.52
    bundle = tmp_path / "long" / "bundle"
    model, processor = AutoModelForCausalLM.from_pretrained(bundle).eval(), MidiProcessor.from_pretrained(bundle)
    assert model.config.infill_share == 0.5 and model.config.trained_programs == [0, 32]

    corpus = load_corpus(midi_folder, split_shares=(0.6, 0.2, 0.2))
    samples = draw_samples(corpus["test"], processor, 128)
    rows, notes = [], 0
    for row in samples:
        if not row["input_ids"]:
            continue
        told = len(row["input_ids"]) - row["asked"]
        rows.append({"input_ids": row["input_ids"], "labels": [-100] * told + row["input_ids"][told:]})
        notes += row["num_notes"]
    chosen = facts["test"]["infill"]
    assert chosen["samples"] <= 8 and chosen["notes"] < notes
    nats, _, asked = naive_nats(model, rows)
    assert nats / asked == pytest.approx(long["test_infill_loss"], rel=0.25)  # of all samples, not of 8


def test_a_metric_of_infilling_needs_a_share(tmp_path):
    def parse(*said):
        return parse_recipe(["--output_dir", str(tmp_path), "--load_best_model_at_end", *said])

    for name in ("infill_nats_per_note", "eval_infill_token_accuracy"):
        with pytest.raises(ValueError, match="Infilling is measured where infill_share is above 0"):
            parse("--metric_for_best_model", name, "--infill_share", "0")
        args = parse("--metric_for_best_model", name, "--infill_share", "0.25")[2]
        assert args.greater_is_better == ("accuracy" in name)


@pytest.mark.parametrize("share", ["1", "-0.1", "nan"])
def test_a_share_is_a_part(share, tmp_path):
    with pytest.raises(ValueError, match="infill_share"):
        parse_recipe(["--output_dir", str(tmp_path), "--infill_share", share])
