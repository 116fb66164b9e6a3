"""What a user means who names a run, a bundle, a checkpoint, or something else."""

import json
import os
from pathlib import Path

import peft
import pytest
from music import make_score
from tiny import ONE_LAYER

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model, default_bundle
from neuromusic_hf.bundles import ModelIdentity, find_bundle, public_name, save_bundle, splits_of_model
from neuromusic_hf.bundles.base import base_record
from neuromusic_hf.bundles.shared_recipe import shareable_recipe
from neuromusic_hf.default_bundle import DEFAULT_BUNDLE
from neuromusic_hf.models import saved_config
from neuromusic_hf.models.adapters import Adapter, AutoMusicModel
from neuromusic_hf.training import ModelArguments, parse_recipe, resolved_recipe
from neuromusic_hf.training.processor import load_processor


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(*files):
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text("{}")

    return make


@pytest.mark.parametrize("config", ["config.json", "adapter_config.json"])
def test_the_folder_of_a_run_means_its_bundle(place, config):
    place(f"runs/x/bundle/{config}", "runs/x/checkpoint-2/config.json")
    assert find_bundle("runs/x") == "runs/x/bundle"


def test_a_bundle_that_earlier_versions_left_in_the_folder_itself_is_found(place):
    place("runs/x/config.json", "runs/x/checkpoint-2/config.json")
    assert find_bundle("runs/x") == "runs/x"
    place("runs/x/bundle/config.json")
    assert find_bundle("runs/x") == "runs/x/bundle"


@pytest.mark.parametrize(
    "name", ["gpt2", "alice/model", "own.Model", "runs/x/bundle", "runs/x/checkpoint-2", "a" * 300]
)
def test_any_other_name_stays_as_it_is(place, name):
    place("runs/x/bundle/config.json", "runs/x/checkpoint-2/config.json")
    assert find_bundle(name) == name


def test_a_run_that_has_not_ended_is_refused_and_its_checkpoints_named(place):
    place("runs/x/checkpoint-2/config.json", "runs/x/checkpoint-4/config.json")
    with pytest.raises(ValueError, match=r"runs/x left no bundle.*checkpoint-2 or checkpoint-4"):
        find_bundle("runs/x")


def test_default_is_the_bundle_of_the_package(place):
    assert find_bundle("default") == find_bundle(Path("default")) == str(DEFAULT_BUNDLE)
    assert find_bundle("./default") == "./default"


def test_a_folder_of_that_name_wins(place):
    place("default/config.json")
    assert find_bundle("default") == "default"
    assert public_name("default") == "default" and default_bundle.recorded_name("default") == "default"
    assert ModelArguments(model="default").model == "default"
    place("default/bundle/config.json")
    assert find_bundle("default") == "default/bundle"


@pytest.mark.parametrize("prefix", ["/opt/env/lib/python3.12/site-packages", "/home/alice/checkout"])
def test_another_installation_s_bundle_is_that_of_this_one(place, prefix):
    elsewhere = f"{prefix}/neuromusic_hf/bundles/default"
    assert default_bundle.place_of(elsewhere) == str(DEFAULT_BUNDLE)
    for other in ("neuromusic_hf/bundles/default", f"{prefix}/bundles/default", f"{elsewhere}/x"):
        assert default_bundle.place_of(other) == other


@pytest.mark.parametrize(
    "load",
    [
        find_bundle,
        MidiContinuationPipeline.from_pretrained,
        AutoMusicModel.from_pretrained,
        MidiProcessor.from_pretrained,
        saved_config,
        splits_of_model,
        lambda name: build_model(name, MidiProcessor.from_tokenization("REMI")),
    ],
)
@pytest.mark.parametrize("name", ["default", "its path"])
def test_where_it_is_missing_every_way_to_it_says_so(place, tmp_path, monkeypatch, load, name):
    missing = tmp_path / "neuromusic_hf" / "bundles" / "default"
    monkeypatch.setattr(default_bundle, "DEFAULT_BUNDLE", missing)
    with pytest.raises(FileNotFoundError, match="not there.*Install the package again"):
        load(str(missing) if name == "its path" else name)


def test_it_loads_under_its_name_everywhere_and_is_recorded_by_it(place):
    continue_midi = MidiContinuationPipeline.from_pretrained("default")
    processor = MidiProcessor.from_pretrained("default")
    model = build_model("default", processor)
    assert processor.vocabulary_hash == continue_midi.processor.vocabulary_hash
    assert all((a == b).all() for a, b in zip(model.parameters(), continue_midi.model.parameters(), strict=True))
    assert {name for name in splits_of_model("default").corpora} >= {"bach", "folk"}

    identity = ModelIdentity.of(continue_midi.model)
    assert (identity.name, identity.place, len(identity.revision)) == ("default", str(DEFAULT_BUNDLE), 64)
    assert identity.is_of_folder and not identity.is_changed()
    assert public_name(DEFAULT_BUNDLE) == public_name(os.path.relpath(DEFAULT_BUNDLE)) == "default"
    record = base_record(model)
    assert (record["name"], record["revision"]) == ("default", identity.revision)
    assert {corpus["name"] for corpus in record["trained"]["corpora"]} >= {"bach", "folk"}


@pytest.mark.parametrize("load", [MidiContinuationPipeline, AutoMusicModel])
def test_a_revision_of_it_is_refused(place, load):
    with pytest.raises(ValueError, match="'v2'.*only what is on the Hub has revisions"):
        load.from_pretrained("default", revision="v2")
    with pytest.raises(ValueError, match="revision=v2 has no effect"):
        ModelArguments(model="default", revision="v2")


@pytest.mark.parametrize("name", ["default", str(DEFAULT_BUNDLE)])
def test_recipes_name_it_and_no_path(place, name):
    parsed = parse_recipe(["--model", name, "--tokenization", name, "--output_dir", "runs/x"])
    assert parsed[0].model == parsed[0].tokenization == str(DEFAULT_BUNDLE) and parsed[0].is_saved_model
    recipe = resolved_recipe(*parsed)
    assert (recipe["model"], recipe["tokenization"]) == ("default", "default")
    shared = shareable_recipe({"model": name, "tokenization": name, "corpus": "bach"})
    assert shared == {"model": "default", "tokenization": "default", "corpus": "bach"}


@pytest.fixture
def other_default(place, tmp_path, processor_of):
    """A bundle of the user's own, in a folder that is called as that of the package."""
    processor = processor_of("REMI")
    model = build_model("gpt2", processor, context_length=64, **ONE_LAYER)
    save_bundle(model, processor, tmp_path / "default")


def test_its_path_means_it_where_a_folder_here_has_its_name(other_default):
    parsed = parse_recipe(["--model", str(DEFAULT_BUNDLE), "--output_dir", "runs/x"])
    assert load_processor(parsed[0]).vocabulary_hash == MidiProcessor.from_pretrained(DEFAULT_BUNDLE).vocabulary_hash
    assert build_model(parsed[0].model, load_processor(parsed[0])).config.model_type == "llama"
    recipe = resolved_recipe(*parsed)
    assert ModelArguments(model=recipe["model"]).model == str(DEFAULT_BUNDLE)
    assert shareable_recipe(recipe)["model"] == "default"


def test_a_record_of_it_means_it_where_a_folder_here_has_its_name(place, request):
    identity = ModelIdentity.of(AutoMusicModel.from_pretrained("default"))
    request.getfixturevalue("other_default")
    assert (identity.name, identity.place) == ("default", str(DEFAULT_BUNDLE)) and not identity.is_changed()
    own = ModelIdentity.of(MidiContinuationPipeline.from_pretrained("default").model)
    assert (own.name, own.place) == ("default", "default") and not own.is_changed()
    Path("default/model.safetensors").write_bytes(b"other")
    assert own.is_changed() and not identity.is_changed()


@pytest.mark.parametrize("base", ["default", "/opt/lib/site-packages/neuromusic_hf/bundles/default"])
def test_an_adapter_may_name_it_as_its_base(place, tmp_path, base):
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "adapter_config.json").write_text(
        f'{{"peft_type": "LORA", "base_model_name_or_path": "{base}"}}'
    )
    assert Adapter.find("lora").base == str(DEFAULT_BUNDLE)


def test_an_adapter_of_it_is_saved_by_its_name_and_plays(place, tmp_path):
    processor = MidiProcessor.from_pretrained("default")
    model = build_model("default", processor)
    lora = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    save_bundle(lora, processor, tmp_path / "lora")
    config = (tmp_path / "lora" / "adapter_config.json").read_text()
    assert json.loads(config)["base_model_name_or_path"] == "default" and str(DEFAULT_BUNDLE) not in config
    continue_midi = MidiContinuationPipeline.from_pretrained(tmp_path / "lora")
    result = continue_midi(make_score(0), prompt_bars=2, max_new_tokens=8, seed=0)
    assert result["token_ids"] and continue_midi.model.name_or_path == str(tmp_path / "lora")
