"""Recipes of strangers: none runs code, publishes, or holds a secret, unless whoever runs it says so."""

import sys

import pytest
import yaml

from neuromusic_hf.metrics import all_comparisons
from neuromusic_hf.models import build_model
from neuromusic_hf.training import parse_recipe
from neuromusic_hf.training.processor import load_processor

CODE = {
    "tokenization": "canary_of_recipes.Zen",
    "model": "canary_of_recipes.ZenForCausalLM",
    "corpus": "bach+canary_of_recipes.Works",
    "eval_comparisons": ["canary_of_recipes.ZEN"],
}


@pytest.fixture
def parse(tmp_path, monkeypatch):
    """Parses a recipe, in a folder with a module that tells when it is imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "canary_of_recipes.py").write_text("open('imported', 'w').close()\n")

    def run(*options, **recipe):
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"eval_continuations_steps": 5, **recipe}))
        return parse_recipe(["recipe.yaml", "--output_dir", str(tmp_path / "run"), *options])

    yield run
    assert "canary_of_recipes" not in sys.modules and not (tmp_path / "imported").exists()


@pytest.mark.parametrize("option", CODE)
def test_an_import_path_of_a_recipe_is_refused_by_name(parse, option):
    path = CODE[option][0] if isinstance(CODE[option], list) else CODE[option].removeprefix("bach+")
    wanted = rf"^recipe.yaml: {option}: {path} is an import path.*--{option} {path} on the command line, or --trust"
    with pytest.raises(ValueError, match=wanted):
        parse(**{option: CODE[option]})


@pytest.mark.parametrize("option", CODE)
def test_it_counts_where_it_is_typed_or_trusted(parse, option):
    said = CODE[option][0] if isinstance(CODE[option], list) else CODE[option]
    for groups in (parse(f"--{option}", said), parse("--trust_remote_code", "true", **{option: CODE[option]})):
        [value] = [vars(group)[option] for group in groups if option in vars(group)]
        assert value == CODE[option]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_lies_beside_a_recipe_makes_no_import_path_harmless(parse, tmp_path, kind, processor_of):
    names = ["canary_of_recipes.ZenForCausalLM", "canary_of_recipes.ZEN", "canary_of_recipes.Zen"]
    for name in names:
        (tmp_path / name).touch() if kind == "file" else (tmp_path / name).mkdir()
    model_args, data_args, run_args, *_ = parse(model=names[0], eval_comparisons=[names[1]], tokenization=names[2])
    with pytest.raises((ValueError, OSError)):
        build_model(model_args.model, processor_of("REMI"))
    with pytest.raises(ValueError, match="ZEN"):
        all_comparisons(run_args.eval_comparisons)
    with pytest.raises((ValueError, OSError)):
        load_processor(model_args)


def test_what_the_command_line_replaces_is_not_asked_for(parse):
    model_args, *_ = parse("--tokenization", "TSD", tokenization=CODE["tokenization"])
    assert model_args.tokenization == "TSD"


def test_a_folder_with_a_dot_in_its_name_is_no_code(parse, tmp_path):
    (tmp_path / "my.midi").mkdir()
    assert parse(corpus="my.midi")[1].corpus == "my.midi"


ACTS = {
    "trust_remote_code": True,
    "push_to_hub": True,
    "hub_model_id": "victims/model",
    "fsdp_config": "/etc/passwd",
    "trackio_space_id": "mallory/space",
    "resume_from_checkpoint": "downloaded/checkpoint-2",
}


@pytest.mark.parametrize("option", ACTS)
def test_what_a_recipe_cannot_decide_is_refused(parse, option):
    with pytest.raises(ValueError, match=rf"^recipe.yaml: {option}: {ACTS[option]} counts on the command line alone"):
        parse(report_to="trackio", **{option: ACTS[option]})


def test_recipes_of_earlier_bundles_and_harmless_values_are_taken(parse):
    parse(trust_remote_code=False, push_to_hub=False, resume_from_checkpoint="last")


def test_a_recipe_does_not_go_on_with_what_lies_where_it_says(parse):
    with pytest.raises(ValueError, match="resume_from_checkpoint: last counts on the command line alone"):
        parse(resume_from_checkpoint="last", output_dir="downloaded")
    parse(output_dir="downloaded")


def test_a_token_in_a_recipe_is_refused_and_not_shown(parse):
    for token in ("hf_secret", ["hf_secret"]):
        with pytest.raises(ValueError, match="hub_token is a secret.*HF_TOKEN") as caught:
            parse(hub_token=token)
        assert "hf_secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["_attn_implementation", "_experts_implementation", "_name_or_path", "name_or_path"])
def test_a_recipe_cannot_name_what_transformers_would_fetch(parse, key):
    with pytest.raises(ValueError, match=rf"model_config: {key} is no size"):
        parse(model_config={key: "mallory/kernel"})


@pytest.mark.parametrize("strategy", ["checkpoint", "all_checkpoints"])
def test_a_strategy_that_pushes_pickles_is_refused(parse, strategy):
    with pytest.raises(ValueError, match=f"hub_strategy={strategy} would push .* pickles: take every_save"):
        parse("--push_to_hub", "true", "--hub_strategy", strategy)


PULLED = {"output_dir": ("runs/mine", "runs/mine"), "report_to": (["tensorboard", "wandb"], "wandb")}


@pytest.fixture(params=["models", "datasets", "a folder"])
def pulled(request, tmp_path):
    """Where a recipe lies that huggingface_hub downloaded: in its cache, or in a folder."""
    if request.param == "a folder":
        folder = tmp_path / "local"
        mark = folder / ".cache/huggingface/download/recipes/recipe.yaml.metadata"
        mark.parent.mkdir(parents=True)
        mark.touch()
    else:
        folder = tmp_path / f"{request.param}--mallory--model" / "snapshots" / ("0" * 40)
    (folder / "recipes").mkdir(parents=True)
    return folder / "recipes" / "recipe.yaml"


@pytest.mark.parametrize("option", PULLED)
def test_a_recipe_of_the_hub_chooses_no_account_and_no_folder(parse, pulled, option):
    said, shown = PULLED[option]
    recipe = yaml.safe_dump({option: said})
    pulled.write_text(recipe)
    with pytest.raises(ValueError, match=rf"recipe.yaml: {option}: {shown} counts on the command line alone"):
        parse_recipe([str(pulled), "--output_dir", "run", "--corpus", "bach"])
    pulled.write_text("report_to: [none]\n")
    parse_recipe([str(pulled), "--output_dir", "run", "--corpus", "bach", "--report_to", "trackio"])
    own = pulled.parents[1] / "own.yaml"
    own.write_text(recipe)
    if pulled.parents[1].name == "local":
        parse_recipe([str(own), *(["--output_dir", "run"] if option != "output_dir" else []), "--corpus", "bach"])
