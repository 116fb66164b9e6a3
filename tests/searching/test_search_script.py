"""scripts/search.py as a user runs it: what it leaves, going on, trials that fail or are pruned, trackers."""

import importlib.util
import json
import shutil

import optuna
import pytest
import yaml
from safetensors.torch import load_file
from tiny import ONE_LAYER

from neuromusic_hf.searching import search_trainer, study

SPACE = """
learning_rate: [1e-2, 2e+9]
hidden_size: [32, 33]
context_length: [64, 48]
model_config.resid_pdrop: [0.0, 0.2]
"""
RIGHT = {"learning_rate": 1e-2, "hidden_size": 32, "context_length": 64, "model_config.resid_pdrop": 0.2}
TRIED = [
    RIGHT | {"learning_rate": 2e9},
    RIGHT | {"hidden_size": 33},
    RIGHT,
    RIGHT | {"context_length": 48, "model_config.resid_pdrop": 0.0},
]


@pytest.fixture
def recipe(midi_folder, tmp_path):
    values = {
        "corpus": str(midi_folder),
        "split_shares": [0.6, 0.2, 0.2],
        "model": "gpt2",
        **ONE_LAYER,
        "output_dir": str(tmp_path / "a run"),
        "max_steps": 4,
        "per_device_train_batch_size": 4,
        "eval_steps": 2,
        "save_steps": 2,
        "infill_share": 0.0,
        "num_proc": 1,
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "recipe.yaml"


@pytest.fixture
def search(call_script, recipe, tmp_path):
    """Searches by `recipe`, and returns the record of it."""

    def run(*options, space=SPACE):
        (tmp_path / "space.yaml").write_text(space)
        call_script("search", recipe, "--space", tmp_path / "space.yaml", "--bf16", "false", *options)
        return json.loads((tmp_path / "a run" / "search" / "search.json").read_text())

    return run


@pytest.fixture
def tried(monkeypatch):
    """Has a search try some values, in their order."""

    def these(values):
        take_up_study = study.take_up_study

        def enqueue(*args):
            taken_up = take_up_study(*args)
            for each in values:
                taken_up.enqueue_trial(each, skip_if_exists=True)
            return taken_up

        monkeypatch.setattr("neuromusic_hf.searching.search.take_up_study", enqueue)

    return these


def test_a_search_goes_on_and_leaves_the_best_as_a_recipe_and_a_bundle(
    search, tried, call_script, tmp_path, monkeypatch
):
    tried(TRIED)
    folder, run_trial = tmp_path / "a run" / "search", search_trainer.run_trial

    def interrupted(trial, *args):
        if trial.number == 2:
            raise KeyboardInterrupt
        return run_trial(trial, *args)

    monkeypatch.setattr(search_trainer, "run_trial", interrupted)
    with pytest.raises(SystemExit, match="130"):
        search("--trials", "4")
    monkeypatch.setattr(search_trainer, "run_trial", run_trial)
    record = search("--trials", "4")

    diverged, refused, stopped, *trained = record["trials"]
    assert [trial["state"] for trial in record["trials"]] == ["failed", "failed", "stopped", "complete", "complete"]
    assert "diverged" in diverged["reason"] and diverged["reason"].startswith("FloatingPointError")
    assert "33" in refused["reason"]
    assert sorted(str(trial["values"]) for trial in trained) == sorted(map(str, TRIED[2:]))
    best = min(trained, key=lambda trial: trial["value"])
    assert record["best"] == best and best["evaluations"]["4"] == best["value"]
    table = (folder / "trials.md").read_text().splitlines()
    assert len(table) == 7 and table[2].startswith(f"| {best['trial']} | {best['value']:.4g} |")
    assert (folder / "search.png").read_bytes().startswith(b"\x89PNG")
    assert not list(folder.glob("trials/*/bundle")) + list(folder.glob("trials/*/checkpoint-*"))
    assert len(list(folder.glob("trials/*/recipe.yaml"))) == 3, "of those that came to their training"

    shutil.move(folder / "bundle", tmp_path / "found")
    call_script("train", folder / "best.yaml", "--use_cpu", "true")
    metrics, again, found = (
        json.loads((tmp_path / place / "run.json").read_text())["metrics"]["eval_nats_per_note"]
        for place in ("found", "a run/bundle", "found")
    )
    assert metrics == again == found == best["value"]
    weights = [load_file(tmp_path / place / "model.safetensors") for place in ("found", "a run/bundle")]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])


def test_a_trial_that_lies_behind_is_pruned_and_ends_its_trackers(search, tried, tmp_path, monkeypatch, offline_wandb):
    begun, init = [], offline_wandb.init

    def noted(**settings):
        assert offline_wandb.run is None, "the run of the trial before has ended"
        begun.append((settings["group"], settings["name"]))
        return init(**settings, mode="disabled")

    monkeypatch.setattr(offline_wandb, "init", noted)
    monkeypatch.setattr(
        optuna.pruners, "MedianPruner", lambda **settings: optuna.pruners.PercentilePruner(1, n_startup_trials=1)
    )
    tried([RIGHT, RIGHT | {"learning_rate": 1e-5}])
    record = search("--trials", "2", "--keep_bundles", "--report_to", "wandb", space=SPACE.replace("2e+9", "1e-5"))
    assert [trial["state"] for trial in record["trials"]] == ["complete", "pruned"]
    assert list(record["trials"][1]["evaluations"]) == ["2"]
    assert [path.parent.name for path in (tmp_path / "a run/search/trials").glob("*/bundle")] == ["trial-000"]
    (group, first), second = begun
    assert group.startswith("a run-")
    assert (first, second) == (f"{group}-trial-000", (group, f"{group}-trial-001"))
    with pytest.raises(ValueError, match="WANDB_RUN_ID=x would make one run of all trials"):
        monkeypatch.setenv("WANDB_RUN_ID", "x")
        search("--trials", "3", "--report_to", "wandb", space=SPACE.replace("2e+9", "1e-5"))


def test_a_search_of_which_nothing_comes_says_why(search, monkeypatch):
    with pytest.raises(RuntimeError, match="(?s)No trial came to its end:.*trial 0: ValueError.*divisible"):
        search("--trials", "1", space="hidden_size: [33, 35]")

    def unforeseen(*args):
        raise TypeError("unsupported")

    monkeypatch.setattr(search_trainer, "run_trial", unforeseen)
    with pytest.raises(RuntimeError, match="(?s)trial 1: TypeError: unsupported"):
        search("--trials", "2", space="hidden_size: [33, 35]")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--hidden_size", "32"], "hidden_size is given, and .*space.yaml searches it"),
        (["--do_test"], "do_test=True belongs to one run"),
        (["--resume_from_checkpoint", "last"], "resume_from_checkpoint=last belongs to one run: .* goes on by itself"),
        (["--push_to_hub", "true"], "push_to_hub=True belongs to one run"),
        (["--trials", "0"], "trials=0 must be at least 1"),
        (["--max_eval_blocks", "4"], "space.yaml: context_length cannot be searched with max_eval_blocks=4"),
        (["--report_to", "nobody"], "report_to=nobody is unknown"),
    ],
)
def test_what_a_search_cannot_do_is_refused(search, options, words):
    with pytest.raises(ValueError, match=words):
        search(*options)


def test_values_that_no_run_takes_are_refused_before_any_is_tried(search, tmp_path):
    with pytest.raises(ValueError, match="space.yaml: argument --lr_scheduler_type.*'foo'"):
        search(space="lr_scheduler_type: [cosine, foo]")
    with pytest.raises(ValueError, match=r"space.yaml: infill_share=1.* must be at least 0 and below 1"):
        search(space="infill_share: {low: 0, high: 1}")
    with pytest.raises(ValueError, match="space.yaml: lora_alpha=.* has no effect"):
        search(space="lora_alpha: [8, 16]")
    assert not (tmp_path / "a run").exists()


def test_optuna_is_asked_for_by_name(search, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "optuna" else find_spec(name))
    with pytest.raises(ImportError, match=r"pip install optuna"):
        search()
