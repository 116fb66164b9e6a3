"""The sweep over engines gives options that are right, changes of a config what it says, and compares as it should."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from neuromusic_hf.training import parse_recipe

RESULT = Path(__file__).parents[2] / "benchmarks" / "results" / "engines.json"


@pytest.fixture
def engines(load_benchmark):
    return load_benchmark("engines")


def test_every_run_is_one_that_scripts_train_takes(engines, tmp_path):
    settings = SimpleNamespace(max_steps=6, corpus="folk", max_pieces=60)
    for model in engines.NO_DROPOUT:
        for processes in (1, 2):
            options = engines.training_options(settings, model, processes)
            model_args, _, args = parse_recipe([*options, "--output_dir", str(tmp_path)])
            assert model_args.model == model and processes * args.per_device_train_batch_size == 4
            assert (args.max_steps, args.save_steps, args.logging_steps) == (6, 3, 1)


def test_of_a_config_nothing_else_is_changed(engines, tmp_path):
    for engine in (*engines.ALONE.values(), *engines.ENGINES.values()):
        ours = yaml.safe_load(engine.write_config(tmp_path).read_text())
        theirs = yaml.safe_load((engines.CONFIGS / f"{engine.config}.yaml").read_text())
        theirs["num_processes"] = engine.processes
        for name, value in engine.changed:
            theirs["fsdp_config"][name] = value
        assert ours == theirs


def test_differences_are_the_largest_and_of_the_same_things(engines):
    one, other = {"a": torch.tensor([1.0, 2.0])}, {"a": torch.tensor([1.5, 1.0])}
    assert engines.difference(one, other) == 1.0
    with pytest.raises(ValueError, match="Not in both: .*'b'"):
        engines.difference(one, {**other, "b": torch.ones(1)})
    curve = {(1, "loss"): 2.0, (2, "loss"): 1.0, (2, "eval_loss"): 3.0}
    assert engines.curve_difference({**curve, (2, "loss"): 1.5}, curve, "loss") == 0.5
    with pytest.raises(ValueError, match="loss was logged at"):
        engines.curve_difference({(1, "loss"): 2.0}, curve, "loss")


def test_the_committed_result_holds_what_is_asked(engines):
    result = json.loads(RESULT.read_text())
    assert list(result["models"]) == list(engines.NO_DROPOUT)
    assert all(list(rows) == list(engines.ENGINES) for rows in result["models"].values())
    for name, asked in engines.make_targets(result["models"]).items():
        assert result["targets"][name] == {**asked, "found": pytest.approx(asked["found"], rel=1e-4)}
