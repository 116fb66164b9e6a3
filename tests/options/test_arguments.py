"""Recipes and options: types, precedence, errors, and the resolved recipe."""

from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file

from neuromusic_hf.training import DataArguments, ModelArguments, RunArguments, parse_recipe, resolved_recipe

REPOSITORY = Path(__file__).parents[2]
RECIPES = sorted((REPOSITORY / "recipes").glob("*.yaml"))
MODEL_RECIPES = sorted((REPOSITORY / "recipes" / "models").glob("*.yaml"))
ACCELERATE_CONFIGS = sorted((REPOSITORY / "accelerate_configs").glob("*.yaml"))


def test_the_repository_has_recipes_and_configs():
    assert {path.stem for path in RECIPES} >= {"small", "maestro", "lamd"}
    assert {path.stem for path in MODEL_RECIPES} >= {"gpt2", "llama"}
    names = {"cpu", "multi_cpu", "single_gpu", "multi_gpu", "multi_node", "fsdp2"}
    assert {path.stem for path in ACCELERATE_CONFIGS} == names | {"deepspeed_zero2", "deepspeed_zero3"}


@pytest.mark.parametrize("model", MODEL_RECIPES, ids=lambda path: path.stem)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
@pytest.mark.parametrize("tokenization", ["REMI", "TSD", "Structured"])
def test_every_recipe_parses_with_the_right_types(recipe, model, tokenization):
    model_args, data_args, args = parse_recipe([str(recipe), str(model), "--tokenization", tokenization])
    assert isinstance(args.learning_rate, float) and 0 < args.learning_rate < 0.1
    assert isinstance(args.max_steps, int) and isinstance(args.num_train_epochs, float | int)
    assert args.max_steps > 0 or "num_train_epochs" in yaml.safe_load(recipe.read_text())
    assert isinstance(args.per_device_train_batch_size, int)
    assert isinstance(data_args.context_length, int)
    assert all(isinstance(value, int) for value in model_args.sizes.values())
    assert model_args.model == model.stem
    assert model_args.tokenization == tokenization


@pytest.mark.parametrize("path", ACCELERATE_CONFIGS, ids=lambda path: path.stem)
def test_every_accelerate_config_parses(path):
    config = load_config_from_file(str(path))
    assert isinstance(config.num_processes, int) and config.num_processes >= 1
    assert isinstance(config.use_cpu, bool)
    assert config.mixed_precision == "no", "precision belongs to the recipe"
    assert config.use_cpu == path.stem.endswith("cpu")


@pytest.fixture
def recipe(tmp_path):
    def write(**values):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump({"output_dir": str(tmp_path / "run"), **values}))
        return str(path)

    return write


def test_later_recipes_and_options_override(recipe):
    first, second = recipe(max_steps=1, seed=1, learning_rate=1e-5), recipe(max_steps=2, seed=2)
    _, _, args = parse_recipe([first, second, "--max_steps", "3"])
    assert (args.max_steps, args.seed, args.learning_rate) == (3, 2, 1e-5)


def test_numbers_that_yaml_reads_as_strings_are_numbers(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"output_dir: {tmp_path}\nlearning_rate: 3e-4\nadam_epsilon: 1e-6\n")
    assert isinstance(yaml.safe_load(path.read_text())["learning_rate"], str), "the trap this test is about"
    _, _, args = parse_recipe([str(path)])
    assert (args.learning_rate, args.adam_epsilon) == (3e-4, 1e-6)


def test_lists_objects_and_booleans_of_a_recipe(recipe):
    values = {"model_config": {"resid_pdrop": 0.0}, "do_test": True, "trust_remote_code": False}
    path = recipe(split_shares=[0.5, 0.25, 0.25], **values)
    model_args, data_args, args = parse_recipe([path])
    assert data_args.split_shares == [0.5, 0.25, 0.25]
    assert model_args.sizes == {"resid_pdrop": 0.0}
    assert args.do_test is True and model_args.trust_remote_code is False


def test_an_unknown_key_is_an_error_that_names_it_and_its_recipe(recipe):
    path = recipe(learning_rat=1e-3)
    with pytest.raises(ValueError, match=r"'learning_rat'.*\.yaml.*'learning_rate'"):
        parse_recipe([path])


@pytest.mark.parametrize("option", ["--hiden_size", "--learning_r"])
def test_an_unknown_option_is_an_error_even_as_an_abbreviation(recipe, option):
    with pytest.raises(ValueError, match=option):
        parse_recipe([recipe(), option, "3"])


def test_a_missing_or_malformed_recipe_is_a_clear_error(tmp_path):
    with pytest.raises(ValueError, match="nowhere.yaml"):
        parse_recipe([str(tmp_path / "nowhere.yaml")])
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1")
    with pytest.raises(ValueError, match="broken.yaml is not valid YAML"):
        parse_recipe([str(broken)])
    broken.write_text("just text")
    with pytest.raises(ValueError, match="key: value"):
        parse_recipe([str(broken)])


def test_a_malformed_json_option_is_a_clear_error(recipe):
    with pytest.raises(ValueError, match="model_config must be a JSON object"):
        parse_recipe([recipe(), "--model_config", "[1]"])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_resolved_recipe_gives_the_same_run(path, tmp_path):
    options = ["--augmentation_variants", "2", "--model_config", '{"resid_pdrop": 0.0}', "--hub_token", "secret"]
    parsed = parse_recipe([str(path), *options])
    resolved = resolved_recipe(*parsed)
    again = tmp_path / "recipe.yaml"
    again.write_text(yaml.safe_dump(resolved))
    model_args, data_args, args = parse_recipe([str(again)])
    assert (model_args, data_args) == parsed[:2]
    for name in ("learning_rate", "max_steps", "warmup_steps", "lr_scheduler_type", "seed", "bf16", "save_steps"):
        assert getattr(args, name) == getattr(parsed[2], name), name
    assert "secret" not in again.read_text()


def test_augmentation_is_recorded_whole():
    parsed = parse_recipe([str(REPOSITORY / "recipes" / "small.yaml")])
    resolved = resolved_recipe(*parsed)
    names = {"augmentation_variants", "max_pitch_shift", "max_velocity_shift", "max_tempo_change", "seed"}
    assert names <= set(resolved)


def test_defaults_need_no_recipe(tmp_path):
    model_args, data_args, args = parse_recipe(["--output_dir", str(tmp_path)])
    assert (model_args, data_args) == (ModelArguments(), DataArguments())
    assert isinstance(args, RunArguments) and isinstance(args.bf16, bool)


def test_precision_can_be_refused(tmp_path):
    assert parse_recipe(["--output_dir", str(tmp_path), "--bf16", "false"])[2].bf16 is False


@pytest.mark.parametrize(
    ("option", "others"), [("revision", ["--model", "gpt2"]), ("corpus_revision", ["--corpus", "bach+folk"])]
)
def test_a_revision_is_of_something_on_the_hub(tmp_path, option, others):
    with pytest.raises(ValueError, match=f"{option}=v1 has no effect"):
        parse_recipe([f"--{option}", "v1", *others, "--output_dir", str(tmp_path)])
    hub = ["--model", "alice/model", "--corpus", "bach+alice/corpus"]
    model_args, data_args, _ = parse_recipe([f"--{option}", "v1", *hub, "--output_dir", str(tmp_path)])
    assert "v1" in (model_args.revision, data_args.corpus_arguments["revision"])


def test_what_a_later_recipe_takes_back_leaves_nothing_without_effect(tmp_path):
    """Tests of continuations are taken back, and with them what only they need."""
    first, later = tmp_path / "first.yaml", tmp_path / "later.yaml"
    first.write_text("eval_continuations_steps: 10\neval_continuations_novelty: true\neval_continuations: 3\n")
    later.write_text("eval_continuations_steps: null\n")
    *_, args = parse_recipe([str(first), str(later)])
    assert args.eval_continuations_steps is None
    with pytest.raises(ValueError, match="eval_continuations=3 has no effect"):
        parse_recipe([str(first), str(later), "--eval_continuations", "3"])
