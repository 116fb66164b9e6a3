"""Every way to push a model leads to a whole bundle on the Hub, and to nothing else there."""

import json
import os
import shutil
from pathlib import Path

import peft
import pytest
import torch
import yaml
from full_bundle import add_records
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError
from loopback_hub import Status
from music import make_score
from tiny import ONE_LAYER
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, pipeline

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model
from neuromusic_hf.bundles import bundle_files, push_bundle, save_bundle

MODEL = {"config.json", "generation_config.json", "model.safetensors"}
PROCESSOR = {"processor_config.json", "processing_midi.py", "tokenizer.json", "tokenizer_config.json"}
CODE = {"configuration_music_transformer.py", "modeling_music_transformer.py", "relative_attention.py"}
BUNDLE = MODEL | PROCESSOR | {"midi_continuation.py", "README.md"}
EXAMPLES = {f"examples/1-prompt_and_continuation.{kind}" for kind in ("png", "wav", "mid")}
RECORDS = {"run.json", "recipe.yaml", "scores.json"} | EXAMPLES
REPOSITORY = "alice/bach"


@pytest.fixture(scope="module")
def saved(tmp_path_factory, tiny_model, processor_of):
    """Folders of bundles by family."""
    made = {}

    def get(family):
        if family not in made:
            made[family] = tmp_path_factory.mktemp(family) / "bundle"
            save_bundle(tiny_model("REMI", family), processor_of("REMI"), made[family])
        return made[family]

    return get


@pytest.fixture(scope="module")
def recorded(saved, tmp_path_factory):
    """The folder of a bundle with all that a run and its report leave there."""
    folder = tmp_path_factory.mktemp("recorded") / "bundle"
    shutil.copytree(saved("music_transformer"), folder)
    add_records(folder)
    return folder


def names(hub, repo_id=REPOSITORY, revision="main"):
    return {*hub.files(repo_id, revision)} - {".gitattributes"}


def continued(place, **arguments):
    """What a model writes that is loaded from a place."""
    continuer = pipeline("midi-continuation", model=place, **arguments)
    result = continuer(make_score(3), prompt_length=40, max_new_tokens=12, do_sample=False)
    return result["token_ids"]


def push_folder_of(folder, processor, **arguments):
    push_bundle(folder, REPOSITORY, **arguments)


def push_model_by_our_function(folder, processor, **arguments):
    push_bundle(AutoModelForCausalLM.from_pretrained(folder), REPOSITORY, processor, **arguments)


def push_model(folder, processor, **arguments):
    AutoModelForCausalLM.from_pretrained(folder).push_to_hub(REPOSITORY, **arguments)


def save_and_push_model(folder, processor, **arguments):
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.save_pretrained(folder.parent / "again", push_to_hub=True, repo_id=REPOSITORY, **arguments)


def push_pipeline(folder, processor, **arguments):
    pipeline("midi-continuation", model=str(folder)).push_to_hub(REPOSITORY, **arguments)


def save_and_push_pipeline(folder, processor, **arguments):
    continuer = pipeline("midi-continuation", model=str(folder))
    continuer.save_pretrained(folder.parent / "again", push_to_hub=True, repo_id=REPOSITORY, **arguments)


ROUTES = [
    push_folder_of, push_model_by_our_function, push_model, save_and_push_model, push_pipeline, save_and_push_pipeline,
]  # fmt: skip


def secrets_in(hub, *folders):
    """Places of the Hub that hold what is of this machine alone."""
    words = [b"hf_alice", str(Path.home()).encode() + b"/", os.fsencode(os.getcwd())]
    words += [os.fsencode(folder) for folder in folders]
    return [
        (name, path, word)
        for (kind, name), repository in hub.store.repositories.items()
        for path, content in hub.files(name, kind=kind).items()
        for word in words
        if word in content
    ]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
def test_every_route_pushes_a_whole_bundle_and_nothing_else(hub, recorded, processor_of, route, tmp_path_factory):
    folder = recorded
    route(folder, processor_of("REMI"), commit_message="A first model", private=True, token="hf_alice")
    assert names(hub) == BUNDLE | CODE | RECORDS == {*bundle_files(snapshot_download(REPOSITORY))}
    assert continued(REPOSITORY) == continued(str(folder))
    assert hub.is_private(REPOSITORY)
    assert HfApi().list_repo_commits(REPOSITORY)[0].title == "A first model"
    card = hub.files(REPOSITORY)["README.md"].decode()
    assert REPOSITORY in card and "More Information Needed" not in card
    assert "license: cc-by-nc-sa-4.0" in card and "5,659,329" in card
    assert not secrets_in(hub, folder, tmp_path_factory.getbasetemp())
    settings = json.loads(hub.files(REPOSITORY)["tokenizer_config.json"])
    assert not {"token", "name_or_path", "local_files_only", "is_local"} & {*settings}


def test_what_is_pushed_of_a_folder_is_the_bundle_in_it(hub, saved, tmp_path):
    folder = tmp_path / "bundle"
    shutil.copytree(saved("music_transformer"), folder)
    for name in ("training_args.bin", "optimizer.pt", "notes.txt", "own.py", "checkpoint-5/model.safetensors"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    push_bundle(folder, REPOSITORY)
    assert names(hub) == BUNDLE | CODE


def test_files_of_an_earlier_model_go_and_the_owners_stay(hub, saved, tiny_model, processor_of):
    push_bundle(saved("music_transformer"), REPOSITORY)
    theirs = {"notes.txt": b"1", "own.py": b"2", "training_args.bin": b"3", "model-00001-of-00002.safetensors": b"4"}
    theirs |= {"scores.json": b"{}", "examples/1.mid": b"5", "adapter_model.safetensors": b"6", "audio/1.wav": b"7"}
    hub.put(REPOSITORY, theirs)
    kept = dict.fromkeys(["model_old/w.safetensors", "sub/x.bin.index.json", "adapter_model_v0/x.bin"], b"8")
    kept |= dict.fromkeys(["examples/mine.ipynb", "examples/deep/x.mid"], b"9")
    hub.put(REPOSITORY, kept)
    push_bundle(saved("gpt2"), REPOSITORY)
    assert names(hub) == BUNDLE | {"notes.txt", "own.py", "audio/1.wav", *kept}


def test_links_to_files_elsewhere_are_not_followed(hub, saved, tmp_path):
    folder = tmp_path / "bundle"
    shutil.copytree(saved("gpt2"), folder)
    (folder / "examples").mkdir()
    (tmp_path / "id_rsa").write_text("secret")
    (folder / "examples" / "a.mid").symlink_to(tmp_path / "id_rsa")
    for model in (folder, AutoModelForCausalLM.from_pretrained(folder)):
        with pytest.raises(ValueError, match="a.mid is a link to a file outside"):
            push_bundle(model, REPOSITORY)
    assert not hub.store.repositories


def test_the_recipe_of_a_checkpoint_tells_nothing_of_the_machine(hub, saved, tmp_path):
    checkpoint = tmp_path / "checkpoint-2"
    shutil.copytree(saved("gpt2"), checkpoint)
    recipe = "corpus: bach+corpora/secret/my_midi\noutput_dir: runs/client-x\nrun_name: at home\nproject: p\nseed: 3\n"
    (checkpoint / "recipe.yaml").write_text(recipe)
    push_bundle(checkpoint, REPOSITORY)
    expected = {"corpus": "bach+./my_midi", "seed": 3}
    assert yaml.safe_load(hub.files(REPOSITORY)["recipe.yaml"]) == expected
    AutoModelForCausalLM.from_pretrained(checkpoint).push_to_hub("alice/again")
    assert yaml.safe_load(hub.files("alice/again")["recipe.yaml"]) == expected
    assert (checkpoint / "recipe.yaml").read_text() == recipe


def test_what_is_refused_makes_no_repository(hub, saved, tmp_path):
    shutil.copytree(saved("gpt2"), tmp_path / "bundle")
    (tmp_path / "bundle" / "recipe.yaml").write_text("corpus: /srv/data/x\n")
    with pytest.raises(ValueError, match="/srv/data/x"):
        push_bundle(tmp_path / "bundle", REPOSITORY)
    with pytest.raises(TypeError, match="visibility.*private"):
        push_bundle(saved("gpt2"), REPOSITORY, visibility="private")
    with pytest.raises(TypeError, match="visibility.*private"):
        AutoModelForCausalLM.from_pretrained(saved("gpt2")).push_to_hub(REPOSITORY, visibility="private")
    assert not hub.store.repositories


def test_a_push_asks_little(hub, recorded):
    push_bundle(recorded, "bach")
    hub.requests.clear()
    push_bundle(recorded, REPOSITORY, revision="trial", tag="v1")
    asked = [path for _, path, _ in hub.requests]
    assert sum("/repos/create" in path for path in asked) == 1
    assert sum("/refs" in path for path in asked) <= 2


def test_large_models_come_in_shards(hub, saved):
    AutoModelForCausalLM.from_pretrained(saved("gpt2")).push_to_hub(REPOSITORY, max_shard_size="50KB")
    assert len([name for name in names(hub) if name.endswith(".safetensors")]) > 1
    assert continued(REPOSITORY) == continued(str(saved("gpt2")))
    push_bundle(saved("gpt2"), REPOSITORY)
    assert names(hub) == BUNDLE


def test_branches_tags_and_pull_requests(hub, saved):
    model = AutoModelForCausalLM.from_pretrained(saved("gpt2"))
    model.push_to_hub(REPOSITORY, revision="trial", tags=["baroque"], commit_description="why")
    assert names(hub) == set() and names(hub, revision="trial") == BUNDLE
    assert b"- baroque\n" in hub.files(REPOSITORY, "trial")["README.md"]
    assert HfApi().list_repo_commits(REPOSITORY, revision="trial")[0].message == "why"
    push_bundle(model, REPOSITORY, tag="v1")
    assert names(hub, revision="v1") == BUNDLE
    push_bundle(saved("music_transformer"), REPOSITORY, create_pr=True)
    assert CODE <= names(hub, revision="refs/pr/1") and names(hub) == BUNDLE


def test_a_push_that_breaks_is_resumed(hub, saved):
    hub.faults.append(Status("/commit/", "POST", status=500))
    with pytest.raises(HfHubHTTPError):
        push_bundle(saved("gpt2"), REPOSITORY)
    assert names(hub) == set()
    push_bundle(saved("gpt2"), REPOSITORY)
    assert continued(REPOSITORY) == continued(str(saved("gpt2")))


def test_the_owners_words_survive_a_second_push(hub, saved):
    push_bundle(saved("gpt2"), REPOSITORY)
    card = hub.files(REPOSITORY)["README.md"].decode()
    hub.put(REPOSITORY, {"README.md": card.replace("# bach", "# Johann\n\nFor my sons.").encode()})
    push_bundle(saved("music_transformer"), REPOSITORY)
    second = hub.files(REPOSITORY)["README.md"].decode()
    assert "For my sons." in second and "Music Transformer" in second and "GPT-2" not in second


def test_a_model_of_ours_without_its_processor_is_refused(hub, processor_of, tmp_path):
    torch.manual_seed(0)
    build_model("music_transformer", processor_of("REMI"), **ONE_LAYER).save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="No MidiProcessor.*push_bundle"):
        model.push_to_hub(REPOSITORY)
    assert not hub.store.repositories
    push_bundle(model, REPOSITORY, processor_of("REMI"))
    assert names(hub) == BUNDLE | CODE


def test_models_of_others_are_pushed_as_ever(hub, tmp_path):
    model = GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=16, n_positions=8))
    model.push_to_hub("alice/text")
    assert names(hub, "alice/text") == MODEL | {"README.md"}


def test_a_processor_has_a_repository_of_its_own(hub, processor_of):
    processor_of("REMI BPE").push_to_hub("alice/remi", private=True, commit_message="ids")
    assert names(hub, "alice/remi") == PROCESSOR | {"README.md"} and hub.is_private("alice/remi")
    assert MidiProcessor.from_pretrained("alice/remi").to_dict() == processor_of("REMI BPE").to_dict()
    card = hub.files("alice/remi")["README.md"].decode()
    assert 'MidiProcessor.from_pretrained("alice/remi")' in card and "pipeline_tag" not in card


def test_a_processor_does_not_break_the_bundle_in_a_repository(hub, saved, processor_of, tmp_path):
    push_bundle(saved("gpt2"), REPOSITORY)
    before = hub.files(REPOSITORY)
    with pytest.raises(ValueError, match="another vocabulary"):
        processor_of("TSD").push_to_hub(REPOSITORY)
    processor_of("REMI").push_to_hub(REPOSITORY)
    processor_of("REMI").save_pretrained(tmp_path, push_to_hub=True, repo_id=REPOSITORY)
    assert hub.files(REPOSITORY) == before


@pytest.fixture
def adapter(hub, saved):
    """On a base that is on the Hub."""
    push_bundle(saved("gpt2"), "alice/base")
    base = AutoModelForCausalLM.from_pretrained("alice/base")
    config = peft.LoraConfig(r=2, target_modules=["c_attn"], task_type="CAUSAL_LM", fan_in_fan_out=True)
    model = peft.get_peft_model(base, config)
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return model


ADAPTER = PROCESSOR | {"adapter_config.json", "adapter_model.safetensors", "README.md"}


@pytest.mark.parametrize("function", [push_bundle, lambda model, repo_id: model.push_to_hub(repo_id)])
def test_an_adapter_is_pushed_with_its_processor(hub, adapter, function):
    function(adapter, "alice/lora")
    assert names(hub, "alice/lora") == ADAPTER
    card = hub.files("alice/lora")["README.md"].decode()
    assert "base_model: alice/base" in card and "- lora" in card and "More Information Needed" not in card
    expected = MidiContinuationPipeline(adapter.merge_and_unload().eval(), MidiProcessor.from_pretrained("alice/base"))
    result = expected(make_score(3), prompt_length=40, max_new_tokens=12, do_sample=False)
    assert continued("alice/lora") == result["token_ids"] != continued("alice/base")
    assert not secrets_in(hub)


def test_an_adapter_of_a_folder_is_refused_until_its_base_is_on_the_hub(hub, saved, adapter, tmp_path):
    adapter.peft_config["default"].base_model_name_or_path = str(saved("gpt2"))
    adapter.peft_config["default"].revision = "of that folder"
    adapter.save_pretrained(tmp_path)
    MidiProcessor.from_pretrained(saved("gpt2")).save_pretrained(tmp_path)
    for model in (adapter, tmp_path):
        with pytest.raises(ValueError, match=f"{saved('gpt2')}.*push that\\s+model first"):
            push_bundle(model, "alice/lora")
    with pytest.raises(ValueError, match="alice/nothing.*no model on the Hub"):
        push_bundle(tmp_path, "alice/lora", base_model="alice/nothing")
    assert [name for _, name in hub.store.repositories] == ["alice/base"]
    push_bundle(tmp_path, "alice/lora", base_model="alice/base")
    assert names(hub, "alice/lora") == ADAPTER and not secrets_in(hub, saved("gpt2"))
    assert str(saved("gpt2")) in (tmp_path / "adapter_config.json").read_text()
    assert json.loads(hub.files("alice/lora")["adapter_config.json"])["revision"] is None
    said = json.loads((tmp_path / "adapter_config.json").read_text())
    del said["base_model_name_or_path"]
    (tmp_path / "adapter_config.json").write_text(json.dumps(said))
    push_bundle(tmp_path, "alice/again", base_model="alice/base")
    pushed = [json.loads(hub.files(name)["adapter_config.json"]) for name in ("alice/again", "alice/lora")]
    assert pushed[0] == pushed[1]


def test_an_adapter_of_another_name_is_pushed_and_two_are_not(hub, adapter):
    adapter.add_adapter("second", adapter.peft_config["default"])
    with pytest.raises(ValueError, match="several adapters"):
        push_bundle(adapter, "alice/lora")
    adapter.set_adapter("second")
    adapter.delete_adapter("default")
    push_bundle(adapter, "alice/lora")
    assert names(hub, "alice/lora") == ADAPTER


def test_a_pipeline_of_an_adapter_pushes_the_adapter(hub, adapter):
    push_bundle(adapter, "alice/lora")
    pipeline("midi-continuation", model="alice/lora").push_to_hub("alice/again")
    assert names(hub, "alice/again") == ADAPTER | {"generation_config.json"}
    assert continued("alice/again") == continued("alice/lora")


def test_a_folder_without_processor_gets_one_and_stays_as_it_is(hub, saved, adapter, processor_of, tmp_path):
    adapter.save_pretrained(tmp_path / "adapter")
    AutoModelForCausalLM.from_pretrained(saved("gpt2")).save_pretrained(tmp_path / "model")
    processor_of("REMI").music_tokenizer.save(tmp_path / "model" / "tokenizer.json")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    push_bundle(tmp_path / "adapter", "alice/lora")
    push_bundle(tmp_path / "model", REPOSITORY)
    (tmp_path / "model" / "tokenizer.json").unlink()
    with pytest.raises(OSError, match="tokenizer.json"):
        push_bundle(tmp_path / "model", "alice/other")
    push_bundle(tmp_path / "model", "alice/other", processor_of("REMI"))
    assert names(hub, "alice/lora") == ADAPTER and names(hub) == names(hub, "alice/other") == BUNDLE
    assert {path: path.read_bytes() for path in before if path.exists()} == {
        path: content for path, content in before.items() if path.exists()
    }
    assert continued(REPOSITORY) == continued("alice/other") == continued(str(saved("gpt2")))


def test_a_new_model_is_pushed_with_the_processor_it_was_built_with(hub, processor_of):
    build_model("music_transformer", processor_of("TSD"), context_length=64, **ONE_LAYER).push_to_hub(REPOSITORY)
    assert names(hub) == BUNDLE | CODE
    assert b"TSD" in hub.files(REPOSITORY)["README.md"]


def test_records_stay_with_the_weights_that_they_tell_of(hub, saved, tmp_path):
    shutil.copytree(saved("gpt2"), tmp_path / "bundle")
    add_records(tmp_path / "bundle")
    push_bundle(tmp_path / "bundle", REPOSITORY)
    before = hub.files(REPOSITORY)
    assert {"run.json", "examples/1-prompt_and_continuation.mid"} <= before.keys()
    model = AutoModelForCausalLM.from_pretrained(REPOSITORY)
    model.push_to_hub(REPOSITORY)
    assert hub.files(REPOSITORY) == before
    with torch.no_grad():
        model.lm_head.weight.add_(1)
    model.push_to_hub(REPOSITORY, revision="trained")
    assert names(hub, revision="trained") == BUNDLE
    assert b"5,659,329" not in hub.files(REPOSITORY, "trained")["README.md"]


@pytest.mark.parametrize("revision", [None, "trial"])
def test_records_go_with_a_model_from_repository_to_repository(hub, recorded, revision):
    push_bundle(recorded, REPOSITORY, private=True, revision=revision, token="hf_alice")
    model = AutoModelForCausalLM.from_pretrained(REPOSITORY, revision=revision)
    model.push_to_hub("alice/second")
    pipeline("midi-continuation", model=REPOSITORY, revision=revision).push_to_hub("third")
    assert names(hub, "alice/second") == names(hub, "alice/third") == BUNDLE | CODE | RECORDS
    for name in ("alice/second", "alice/third"):
        assert b"license: cc-by-nc-sa-4.0" in hub.files(name)["README.md"]
    with torch.no_grad():
        model.lm_head.weight.add_(1)
    model.push_to_hub("alice/trained")
    assert names(hub, "alice/trained") == BUNDLE | CODE


def test_an_adapter_takes_its_records_along(hub, adapter, tmp_path):
    push_bundle(adapter, "alice/lora")
    snapshot_download("alice/lora", local_dir=tmp_path / "lora")
    add_records(tmp_path / "lora")
    push_bundle(tmp_path / "lora", "alice/lora")
    pipeline("midi-continuation", model="alice/lora").push_to_hub("alice/again")
    assert {*RECORDS} <= names(hub, "alice/again")


def test_a_damaged_repository_can_be_pushed_over(hub, saved):
    hub.put(REPOSITORY, {"config.json": b"{", "theirs.py": b"1"})
    push_bundle(saved("gpt2"), REPOSITORY)
    assert names(hub) == BUNDLE | {"theirs.py"}


def test_a_model_whose_processor_is_refused_is_not_pushed_without_it(hub, saved, tmp_path):
    shutil.copytree(saved("gpt2"), tmp_path / "bundle")
    path = tmp_path / "bundle" / "processor_config.json"
    path.write_text(path.read_text().replace('"class": "REMI"', '"class": "nowhere.Own"'))
    with pytest.raises(ValueError, match="nowhere.Own"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "bundle").push_to_hub(REPOSITORY)
    assert not hub.store.repositories


def test_a_model_is_not_pushed_with_the_processor_of_another(hub, tiny_model, processor_of):
    with pytest.raises(ValueError, match="ids"):
        push_bundle(tiny_model("REMI"), REPOSITORY, processor_of("TSD"))
    assert not hub.store.repositories
