"""The sweep of examples/ works: its agent's command is one that scripts/train.py takes, and its metric is logged."""

import os
import subprocess
from pathlib import Path

import pytest
import wandb_file
import yaml
from tiny import ONE_LAYER

from neuromusic_hf.evaluation.language_modeling import greater_is_better
from neuromusic_hf.options.parser import OptionParser
from neuromusic_hf.training import parse_recipe

REPOSITORY = Path(__file__).parents[1]
SWEEP = yaml.safe_load((REPOSITORY / "examples" / "sweep.yaml").read_text())
LEAST = {name: values.get("min", values.get("values", [None])[0]) for name, values in SWEEP["parameters"].items()}
"""Values that its server may say."""


@pytest.fixture
def agent_command(monkeypatch, tmp_path, offline_wandb):
    """What the agent of wandb runs for values of a sweep, and in which environment."""
    from wandb import wandb_agent

    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    for name in ("WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH"):  # which the agent sets
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)

    def run(values):
        started = {}
        monkeypatch.setattr(wandb_agent, "AgentProcess", lambda **how: started.update(how) or _Process())
        agent = wandb_agent.Agent(api=None, queue=None)
        agent._sweep_command = list(SWEEP["command"])
        said = {name: {"value": value} for name, value in values.items()}
        agent._command_run({"type": "run", "run_id": "run7", "program": SWEEP["program"], "args": said})
        return started["command"], started["env"]

    return run


class _Process:
    last_sigterm_time = None


def test_its_parameters_are_options_that_take_the_values_it_names(tmp_path):
    assert LEAST.keys() <= OptionParser().options.keys()
    for name, values in SWEEP["parameters"].items():
        for value in values.get("values") or [values["min"], values["max"]]:
            assert isinstance(value, str) == ("values" in values), "YAML reads 1e-3 as a word"
            parse_recipe([str(REPOSITORY / "recipes/small.yaml"), f"--{name}={value}", f"--output_dir={tmp_path}"])


def test_the_command_of_its_agent_trains_and_logs_its_metric(agent_command, call_script, midi_folder, tmp_path):
    command, environment = agent_command(LEAST)
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    python.chmod(0o755)
    environment |= {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    script, *arguments = done.stdout.splitlines()
    assert script == "scripts/train.py"
    assert [f"--{name}={value}" for name, value in LEAST.items()] == arguments[3:-2]
    assert arguments[:3] + arguments[-2:] == [
        *("recipes/small.yaml", "--report_to", "wandb"),
        *("--output_dir", "runs/sweep/run7"),
    ]

    (tmp_path / "recipes").symlink_to(REPOSITORY / "recipes")
    small = {**ONE_LAYER, "corpus": midi_folder, "max_steps": 1, "eval_steps": 1, "max_eval_blocks": 2}
    small |= {"context_length": 256, "infill_share": 0, "eval_continuations_steps": "null", "num_proc": 1}
    call_script("train", *arguments, *(word for name, value in small.items() for word in (f"--{name}", value)))
    [written] = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert wandb_file.read_run(written).run_id == environment["WANDB_RUN_ID"] == "run7"
    assert any(SWEEP["metric"]["name"] in row for row in wandb_file.read_rows(written))
    assert (tmp_path / "runs/sweep/run7/bundle/run.json").exists()
    is_better_above = greater_is_better(SWEEP["metric"]["name"].removeprefix("eval/"))
    assert SWEEP["metric"]["goal"] == ("maximize" if is_better_above else "minimize")
