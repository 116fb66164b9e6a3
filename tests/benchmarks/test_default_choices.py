"""benchmarks/default_choices.py reads choices from other results, trains the rest once, and averages checkpoints."""

import json

import pytest
import yaml

from neuromusic_hf.training import parse_recipe

ONE_CHECKPOINT, TWO_CHECKPOINTS = "one checkpoint", "two checkpoints"
COMPARISON = {
    "title": "Tiny models",
    "recipe": "recipes/small.yaml",
    "options": {
        "model": "llama",
        "corpus": "folk",
        "max_pieces": 60,
        "num_proc": 1,
        "infill_share": 0,
        "context_length": 32,
        "max_eval_blocks": 4,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_steps": 2,
        "eval_steps": 1,
        "eval_continuations_steps": 1000,
    },
    "seeds": [3],
    "models": {ONE_CHECKPOINT: {"save_steps": 2}, TWO_CHECKPOINTS: {"save_steps": 1, "save_total_limit": 2}},
    "choices": {"averaging": [ONE_CHECKPOINT, TWO_CHECKPOINTS], "dropout": [ONE_CHECKPOINT]},
}


@pytest.fixture
def choose(run_benchmark, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(COMPARISON))
    places = ("--comparison", str(path), "--runs", str(tmp_path / "runs"), "--threads", "1")
    return lambda *only: run_benchmark("default_choices", *places, "--only", *only)["choices"]


def test_choices_are_measured_once_and_kept(choose, tmp_path):
    averaging = choose("averaging")["averaging"]
    one, mean_of_one, two, mean_of_two = averaging.values()
    assert list(averaging)[1::2] == [
        f"{ONE_CHECKPOINT}, mean of the last 1 checkpoints",
        f"{TWO_CHECKPOINTS}, mean of the last 2 checkpoints",
    ]
    assert mean_of_one["nats_per_note"] == pytest.approx(one["nats_per_note"], rel=1e-4)
    assert one["nats_per_note"] == pytest.approx(two["nats_per_note"], rel=1e-4)
    before, after = two["runs"]["3"]["curve"]
    assert min(before, after) - 0.1 < mean_of_two["nats_per_note"] < max(before, after) + 0.1
    assert mean_of_two["nats_per_note"] != mean_of_one["nats_per_note"]

    records = sorted((tmp_path / "runs").glob("*/bundle/run.json"))
    written = [record.stat().st_mtime_ns for record in records]
    again = choose("dropout")
    assert again["averaging"] == averaging and again["dropout"] == {ONE_CHECKPOINT: one}
    assert [record.stat().st_mtime_ns for record in records] == written


def test_every_choice_is_of_runs_that_there_are(load_benchmark):
    module = load_benchmark("default_choices")
    comparison = yaml.safe_load(module.COMPARISON.read_text())
    assert {name for names in comparison["choices"].values() for name in names} == set(comparison["models"])
    known = module.known_choices()
    costs = json.loads((module.RESULTS / "infill_cost.json").read_text())["runs"]
    [llama] = [run for run in costs if (run["model"], run["vocabulary"], run["share"]) == ("llama", "base", 0)]
    assert known["distances"]["Llama, rotary distances"]["nats_per_note"] == llama["eval_nats_per_note"]
    assert all(option["from"] for options in known.values() for option in options.values())


def test_runs_differ_in_what_their_names_say_alone(load_benchmark):
    """What the recipe leaves to the options of a run would be that of the package."""
    module = load_benchmark("default_choices")
    comparison = yaml.safe_load(module.COMPARISON.read_text())
    for name, changed in comparison["models"].items():
        _, _, *arguments = module.command(comparison, name, 42, None)
        model, data, run = parse_recipe(arguments)
        wider = name == "320 x 6"
        assert (model.hidden_size, model.num_hidden_layers) == ((320, 6) if wider else (256, 4)), name
        assert (model.num_attention_heads, model.intermediate_size) == ((5, 848) if wider else (4, 680)), name
        assert data.augmentation_variants == changed.get("augmentation_variants", 0), name
        assert (run.max_steps, run.per_device_train_batch_size, data.context_length) == (350, 8, 512), name
        assert (data.corpus, run.learning_rate, run.warmup_steps) == ("bach+folk", 1e-3, 30), name
        assert run.lr_scheduler_type == changed.get("lr_scheduler_type", "cosine"), name
