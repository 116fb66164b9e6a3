"""Trackers' own variables are obeyed, and no two folders share a run."""

import pytest
import wandb_file

from neuromusic_hf.tracking.sessions import finish_session
from neuromusic_hf.training import RunArguments, parse_recipe, resolved_recipe


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("WANDB_NAME", "SWANLAB_EXP_NAME", "TRACKIO_PROJECT"):
        monkeypatch.delenv(name, raising=False)


def name(folder, *options) -> str:
    return parse_recipe(["--output_dir", str(folder), *options])[2].run_name


def test_two_folders_of_one_name_are_two_runs_and_one_folder_is_one(tmp_path, monkeypatch):
    first, second = tmp_path / "a" / "quickstart", tmp_path / "b" / "quickstart"
    assert name(first) == name(first) != name(second)
    assert name(first).startswith("quickstart-")
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert name("quickstart") == name("./quickstart/") == name(first)


def test_what_is_said_comes_first_then_the_variable_then_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_NAME", "from the variable")
    assert name(tmp_path, "--report_to", "wandb", "--run_name", "said") == "said"
    assert name(tmp_path, "--report_to", "wandb") == "from the variable"
    assert name(tmp_path, "--report_to", "trackio", "wandb") == "from the variable"
    assert name(tmp_path, "--report_to", "trackio") != "from the variable"
    assert RunArguments(output_dir=str(tmp_path), report_to="wandb").run_name == "from the variable"


def test_the_project_is_what_is_said_or_the_variable(tmp_path, monkeypatch):
    options = ["--output_dir", str(tmp_path), "--report_to", "trackio"]
    assert parse_recipe(options)[2].project == "huggingface"
    monkeypatch.setenv("TRACKIO_PROJECT", "music")
    assert parse_recipe(options)[2].project == "music"
    assert parse_recipe([*options, "--project", "said"])[2].project == "said"


def test_a_resolved_recipe_names_no_run_but_where_it_was_named(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_NAME", "of this launch")
    options = ["--output_dir", str(tmp_path / "first"), "--report_to", "wandb"]
    assert not {"run_name", "project"} & set(resolved_recipe(*parse_recipe(options)))
    assert resolved_recipe(*parse_recipe([*options, "--run_name", "said"]))["run_name"] == "said"


def test_wandb_sees_the_variables(tmp_path, monkeypatch, offline_wandb):
    """The Trainer's callback would let a name of ours override WANDB_NAME."""
    from transformers import GPT2Config, GPT2LMHeadModel, TrainerState
    from transformers.integrations import WandbCallback

    variables = {"NAME": "mine", "PROJECT": "ours", "RUN_GROUP": "group", "TAGS": "a,b", "NOTES": "n", "RUN_ID": "id7"}
    for key, value in variables.items():
        monkeypatch.setenv(f"WANDB_{key}", value)
    args = RunArguments(output_dir=str(tmp_path / "run"), report_to=["wandb"], hub_token="hf_secret", use_cpu=True)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=4, n_embd=4, n_layer=1, n_head=1, n_positions=4))
    callback = WandbCallback()
    callback.setup(args, TrainerState(is_world_process_zero=True), model)
    run = offline_wandb.run
    assert (run.name, run.project, run.group, run.tags, run.notes, run.id) == (
        "mine", "ours", "group", ("a", "b"), "n", "id7"
    )  # fmt: skip
    assert "hf_secret" not in str(dict(run.config))
    finish_session(callback, failed=True)
    offline_wandb.teardown()  # which writes the last of it
    [written] = tmp_path.glob("wandb/offline-run-*/*.wandb")
    [ended] = [record for record in wandb_file.read_records(written) if record.WhichOneof("record_type") == "exit"]
    assert ended.exit.exit_code == 1


def test_a_token_does_not_stand_in_a_command_line_that_trackers_record(tmp_path):
    options = ["--output_dir", str(tmp_path), "--hub_token", "hf_secret"]
    assert "hf_secret" not in str(resolved_recipe(*parse_recipe(options)))
    assert "hf_secret" not in str(parse_recipe(options)[2].to_dict())
    with pytest.raises(ValueError, match="HF_TOKEN") as error:
        parse_recipe([*options, "--report_to", "wandb"])
    assert "hf_secret" not in str(error.value)
