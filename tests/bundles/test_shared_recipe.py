"""The recipe in a bundle: others can run it, and learn nothing of the machine from it."""

import pytest
import yaml

from neuromusic_hf.bundles.shared_recipe import shareable_recipe
from neuromusic_hf.training import parse_recipe, resolved_recipe


@pytest.fixture
def shared(tmp_path, monkeypatch, midi_folder):
    """The shareable recipe of a command line, given in a folder with a corpus and a trained run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "my+midi").symlink_to(midi_folder)
    (tmp_path / "runs" / "first" / "bundle").mkdir(parents=True)
    (tmp_path / "runs" / "first" / "bundle" / "config.json").write_text("{}")
    return lambda *options: shareable_recipe(resolved_recipe(*parse_recipe([*options, "--output_dir", "runs/x"])))


def test_a_place_is_named_by_its_last_part(shared, tmp_path):
    recipe = shared(
        "--corpus", f"bach+{tmp_path}/corpora/my+midi", "--model", "runs/first", "--tokenization", "runs/first"
    )
    assert recipe["corpus"] == "bach+./my+midi"
    assert recipe["model"] == recipe["tokenization"] == "./first"


def test_names_of_models_corpora_and_the_hub_stay(shared, tmp_path):
    for name in ("bach", "gpt2"):
        (tmp_path / name).mkdir()
    recipe = shared("--corpus", "bach+alice/corpus", "--model", "gpt2", "--tokenization", "alice/model")
    assert (recipe["corpus"], recipe["model"], recipe["tokenization"]) == ("bach+alice/corpus", "gpt2", "alice/model")


def test_nothing_of_the_machine_is_told(shared, tmp_path):
    options = [
        "--corpus",
        "maestro",
        "--data_dir",
        str(tmp_path),
        "--run_name",
        "at home",
        "--report_to",
        "tensorboard",
    ]
    options += ["--push_to_hub", "true", "--hub_model_id", "alice/x", "--hub_private_repo", "true"]
    options += ["--eval_continuations_steps", "5", "--eval_harmony_embedding", f"{tmp_path}/harmony"]
    recipe = shared(*options, "--model_config", f'{{"resid_pdrop": 0.2, "name": "{tmp_path}/x"}}')
    assert str(tmp_path) not in yaml.safe_dump(recipe) and "at home" not in yaml.safe_dump(recipe)
    assert not [
        name for name in recipe if name.startswith(("hub_", "push_", "output", "report", "run_name", "data_dir"))
    ]
    assert recipe["model_config"]["resid_pdrop"] == 0.2


def test_it_is_a_recipe_of_the_same_run(shared, tmp_path):
    options = ["--corpus", "corpora/my+midi", "--context_length", "64", "--seed", "7", "--learning_rate", "1e-3"]
    recipe = shared(*options, "--max_steps", "5")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    (tmp_path / "my+midi").symlink_to(tmp_path / "corpora" / "my+midi")
    again = resolved_recipe(*parse_recipe([str(tmp_path / "recipe.yaml"), "--output_dir", "runs/y"]))
    assert shareable_recipe(again) == recipe
