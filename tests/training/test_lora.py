"""Runs that train an adapter: what of the model changes, what they leave, what they go on from, what is refused."""

import json
import logging
import os
import shutil
from pathlib import Path

import peft
import pytest
import torch
import yaml
from music import make_score
from preloaded import run_in_two_processes
from safetensors.torch import load_file
from tiny import ONE_LAYER
from transformers import AutoModelForCausalLM, pipeline

from neuromusic_hf import MidiProcessor, build_model, default_bundle
from neuromusic_hf.bundles import ModelIdentity, push_bundle, save_bundle
from neuromusic_hf.bundles.base import base_record
from neuromusic_hf.models import adapters, check_base
from neuromusic_hf.options import lora_arguments
from neuromusic_hf.training import ModelArguments, RunArguments
from neuromusic_hf.training.lora import check_lora

FAMILIES = ("gpt2", "llama", "music_transformer")
NEW_MODEL = dict.fromkeys(ONE_LAYER)
"""Options of a new model, left out."""

SHORT = {"prompt_length": 16, "max_new_tokens": 12, "do_sample": False}
LAST = ["--resume_from_checkpoint", "last"]
SCRIPT = Path(__file__).parents[2] / "scripts" / "train.py"


@pytest.fixture(scope="session")
def bases(processor_of, tmp_path_factory):
    """By family, a bundle that has heard pianos alone."""
    made = {}

    def get(family, infill=True):
        if (family, infill) not in made:
            made[family, infill] = tmp_path_factory.mktemp("base") / f"{family}-{infill}"
            processor = processor_of("REMI")
            if not infill:
                processor = MidiProcessor.from_music_tokenizer(processor.music_tokenizer)
            torch.manual_seed(0)
            model = build_model(family, processor, context_length=64, **ONE_LAYER, initializer_range=0.2)
            model.config.trained_programs = [0]
            save_bundle(model, processor, made[family, infill])
        return made[family, infill]

    return get


@pytest.fixture
def adapt(train, options, bases, tmp_path):
    """Trains an adapter on the bundle of a family; returns the folder of the run."""

    def run(name="run", family="gpt2", resume=False, infill=True, **changed):
        values = {**NEW_MODEL, "model": bases(family, infill), "lora_rank": 4, "max_steps": 4, **changed}
        train(options(name, **values) + (LAST if resume else []))
        return tmp_path / name

    return run


@pytest.fixture
def shipped(bases, tmp_path, monkeypatch):
    """The bundle that comes with the package is another one, in a folder of its own."""
    folder = shutil.copytree(bases("llama"), tmp_path / "site-packages" / "neuromusic_hf" / "bundles" / "default")
    monkeypatch.setattr(default_bundle, "DEFAULT_BUNDLE", folder)
    return folder


def logits(model):
    ids = torch.randint(4, 200, (2, 32), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return model.eval()(ids).logits


def plain(folder):
    return AutoModelForCausalLM.from_pretrained(folder)


def read(path):
    return json.loads(path.read_text())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_bundle_is_the_base_with_the_adapter_of_the_best_checkpoint_merged(adapt, bases, family):
    run = adapt(family=family, load_best_model_at_end=True, learning_rate=0.5, lr_scheduler_type="constant")
    best = read(run / "checkpoint-4" / "trainer_state.json")["best_model_checkpoint"]
    merged = plain(run / "bundle")
    expected = peft.PeftModel.from_pretrained(plain(bases(family)), best)
    torch.testing.assert_close(logits(merged), logits(expected), atol=1e-4, rtol=1e-4)
    assert (logits(merged) - logits(plain(bases(family)))).abs().max() > 0.1
    assert type(merged) is type(plain(bases(family)))
    before, after = (load_file(folder / "model.safetensors") for folder in (bases(family), run / "bundle"))
    assert before.keys() == after.keys() and not (run / "bundle" / "adapter_config.json").exists()
    changed = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    head = ("lm_head", "embed", "wte", "wpe", "norm", "ln_", "bias", "relative")
    assert changed and not any(part in name for part in head for name in changed)


def test_what_was_trained_stands_in_record_card_and_log(adapt, bases, caplog):
    with caplog.at_level(logging.INFO):
        run = adapt(family="llama", lora_target_modules="q_proj down_proj", lora_alpha=6)
    weights = load_file(run / "checkpoint-4" / "adapter_model.safetensors")
    trained = 4 * (32 + 32) + 4 * (32 + 64)
    assert sum(weight.numel() for weight in weights.values()) == trained
    whole = plain(bases("llama")).num_parameters()
    record = read(run / "bundle" / "run.json")
    assert record["model"] == "LlamaForCausalLM" and record["parameters"] == whole
    settings = {"rank": 4, "alpha": 6, "dropout": 0.0, "target_modules": ["down_proj", "q_proj"]}
    counts = {"trained_parameters": trained, "base_parameters": whole}
    assert record["lora"] == settings | counts | {"merged": True}
    said = f"of {whole:,} parameters"
    assert f"LoRA of rank 4 trains {trained:,} {said}" in caplog.text
    assert f"LoRA of rank 4 trained {trained:,} {said}, and was merged" in (run / "bundle" / "README.md").read_text()
    model = plain(run / "bundle")
    assert base_record(model)["trained"]["lora"] == record["lora"], "and of what goes on from it"
    recipe = yaml.safe_load((run / "bundle" / "recipe.yaml").read_text())
    assert {name: recipe.get(name) for name in ("lora_rank", "lora_alpha", "lora_merge")} == {
        "lora_rank": 4,
        "lora_alpha": 6,
        "lora_merge": None,
    }
    states = torch.load(run / "checkpoint-4" / "optimizer.pt", weights_only=True)["state"].values()
    assert sum(state["exp_avg"].numel() for state in states) == trained


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_that_is_left_plays_as_the_merged_model_does(adapt, bases, family):
    sampling = {"top_p": 0.7, "infill_share": 0.25}
    run = adapt(family=family, lora_merge=False, **sampling)
    merged = adapt("merged", family, **sampling)
    names = {path.name for path in (run / "bundle").iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "processor_config.json", "README.md"} < names
    assert not {"config.json", "model.safetensors", "training_args.bin"} & names
    places = [str(folder / "bundle") for folder in (run, merged)]
    adapted, whole = (pipeline("midi-continuation", model=place, device="cpu") for place in places)
    before = pipeline("midi-continuation", model=str(bases(family)), device="cpu")
    assert adapted.sampling_in_force()["top_p"] == whole.sampling_in_force()["top_p"] == 0.7
    for key in ("trained_programs", "infill_share"):
        assert getattr(adapted.model.config, key) == getattr(whole.model.config, key)
    assert adapted.model.config.trained_programs != before.model.config.trained_programs
    score = make_score(1)
    assert adapted(score, **SHORT)["token_ids"] == whole(score, **SHORT)["token_ids"]
    built = build_model(str(run / "bundle"), adapted.processor)
    assert built.config.trained_programs == whole.model.config.trained_programs
    assert built.generation_config.top_p == 0.7
    card = (run / "bundle" / "README.md").read_text()
    assert "An adapter (LORA), trained on" in card and "LoRA of rank 4 trained" in card and "merged" not in card
    assert "midi-infilling" in card


def test_a_run_goes_on_from_its_last_checkpoint_to_where_an_unbroken_one_ends(adapt):
    whole = adapt("whole", family="llama", lora_dropout=0.1)
    resumed = adapt("resumed", family="llama", lora_dropout=0.1)
    shutil.rmtree(resumed / "checkpoint-4")
    shutil.rmtree(resumed / "bundle")
    adapt("resumed", family="llama", lora_dropout=0.1, resume=True)
    one, two = (load_file(run / "bundle" / "model.safetensors") for run in (whole, resumed))
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    with pytest.raises(ValueError, match=r"(?s)cannot change on the way.*lora_rank: 4 there, 8 now"):
        adapt("resumed", family="llama", lora_dropout=0.1, lora_rank=8, resume=True)


def test_two_processes_train_one_adapter_as_one_process_does(adapt, options, bases, tmp_path):
    one = adapt("one", "llama")
    values = NEW_MODEL | {"model": bases("llama"), "lora_rank": 4, "max_steps": 4, "per_device_train_batch_size": 2}
    variables = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    for ended in run_in_two_processes(SCRIPT, *options("two", **values), folder=tmp_path, variables=variables):
        assert ended.returncode == 0, ended.stderr[-3000:]
    records = [read(tmp_path / name / "bundle" / "run.json") for name in ("one", "two")]
    assert [record["engine"] for record in records] == ["one process", "DDP"]
    assert records[0]["lora"] == records[1]["lora"] and records[0]["lora"]["rank"] == 4
    for name in ("checkpoint-4/adapter_model.safetensors", "bundle/model.safetensors"):
        ours, theirs = (load_file(folder / name) for folder in (tmp_path / "two", one))
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("variable", ["ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"])
def test_what_divides_weights_is_refused_whoever_asks_for_it(bases, processor_of, monkeypatch, tmp_path, variable):
    model_args = ModelArguments(model=str(bases("gpt2")), lora_rank=4)
    args = RunArguments(output_dir=str(tmp_path), use_cpu=True)
    monkeypatch.setenv(variable, "true")
    with pytest.raises(ValueError, match="few weights, which are not divided.*multi_gpu.yaml"):
        check_lora(model_args, args, processor_of("REMI"))


@pytest.mark.parametrize("family", ["gpt2", "llama"])  # with tied embeddings and without
def test_ids_of_infilling_that_an_old_bundle_gets_are_trained_and_saved(adapt, bases, family, caplog):
    asked = {"family": family, "infill": False, "infill_share": 0.5}
    with caplog.at_level(logging.INFO):
        whole = adapt("whole", **asked)
    assert "The embeddings, which grew" in caplog.text
    adapt("resumed", **asked)
    shutil.rmtree(tmp := whole.parent / "resumed" / "checkpoint-4")
    adapt("resumed", **asked, resume=True)
    one, two = (load_file(run / "bundle" / "model.safetensors") for run in (whole, tmp.parent))
    assert all(torch.equal(one[name], two[name]) for name in one)
    model = plain(whole / "bundle")
    old = plain(bases(family, infill=False))
    size = old.config.vocab_size
    assert model.config.vocab_size == size + 4 and model.config.infill_share == 0.5
    embeddings, output = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert (embeddings is output) == (old.get_input_embeddings().weight is old.get_output_embeddings().weight)
    assert not torch.equal(embeddings[:size], old.get_input_embeddings().weight)
    assert read(whole / "bundle" / "run.json")["lora"]["trained_parameters"] > embeddings.numel()
    with pytest.raises(ValueError, match=r"(?s)is an adapter .LORA. of .*cannot be loaded on it"):
        pipeline("midi-continuation", model=str(whole / "checkpoint-4"))
    with pytest.raises(ValueError, match="holds no ids of infilling"):
        adapt("refused", **asked, lora_merge=False)


def test_activations_that_are_computed_again_and_tests_of_continuations_change_nothing(adapt):
    tests = {"eval_continuations_steps": 4, "eval_continuations": 1, "eval_shown_continuations": 0}
    checkpointed = {
        "gradient_checkpointing": True,
        "gradient_checkpointing_kwargs": '{"use_reentrant":true}',
        "save_total_limit": 1,
    }
    found = []
    for name, changed in {"plain": tests, "checkpointed": checkpointed}.items():
        run = adapt(name, family="music_transformer", **changed)
        found.append(load_file(run / "checkpoint-4" / "adapter_model.safetensors"))
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-5)
    assert [path.name for path in run.glob("checkpoint-*")] == ["checkpoint-4"]
    assert (run.parent / "plain" / "eval_continuations" / "step-000004" / "report").is_dir()


# On the bundle that comes with the package


def test_the_bundle_of_the_package_is_named_and_found_wherever_it_lies(adapt, shipped, tmp_path, monkeypatch):
    run = adapt(model="default", lora_merge=False)
    said = (run / "bundle" / "adapter_config.json").read_text()
    assert json.loads(said)["base_model_name_or_path"] == "default"
    for path in (run / "bundle").rglob("*"):
        assert b"site-packages" not in path.read_bytes(), path
    assert read(run / "bundle" / "run.json")["base_model"]["name"] == "default"
    card = (run / "bundle" / "README.md").read_text()
    assert "of the bundle that comes with neuromusic_hf" in card and "Without that package" not in card
    play = pipeline("midi-continuation", model=str(run / "bundle"), device="cpu")
    expected = play(make_score(1), **SHORT)["token_ids"]
    assert expected != pipeline("midi-continuation", model=str(shipped))(make_score(1), **SHORT)["token_ids"]
    moved = shutil.move(shipped, tmp_path / "elsewhere")
    monkeypatch.setattr(default_bundle, "DEFAULT_BUNDLE", moved)
    (tmp_path / "default").mkdir()
    monkeypatch.chdir(tmp_path)  # where another folder has its name
    again = pipeline("midi-continuation", model=str(run / "checkpoint-4"), device="cpu")
    assert again(make_score(1), **SHORT)["token_ids"] == expected
    play.save_pretrained(tmp_path / "saved")
    assert {"music_config.json", "generation_config.json"} <= {path.name for path in (tmp_path / "saved").iterdir()}
    identity = ModelIdentity.of(again.model)
    content = (moved / "model.safetensors").read_bytes()
    (moved / "model.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    (tmp_path / "default").rmdir()

    def resume():
        adapt(model="default", lora_merge=False, resume=True)

    for load in (lambda: check_base(str(run / "bundle")), identity.is_changed, resume):
        with pytest.raises(ValueError, match="adapter of the bundle 'default' with the weights .*install the version"):
            load()


def test_an_adapter_of_it_is_pushed_by_no_one_before_its_base_is(adapt, shipped, hub):
    pushing = {"push_to_hub": True, "hub_model_id": "alice/x"}
    with pytest.raises(ValueError, match="is not on the Hub.*push that model first"):
        adapt(model="default", lora_merge=False, **pushing)
    with pytest.raises(ValueError, match="--hub_strategy end"):
        adapt(model="default", **pushing)
    adapt("merged", model="default", hub_strategy="end", **pushing)
    assert {"config.json", "model.safetensors"} < {*hub.files("alice/x")}


def test_an_adapter_of_a_bundle_on_the_hub_is_pushed_and_names_its_commit(adapt, bases, hub):
    commit = push_bundle(str(bases("gpt2")), "alice/base").oid
    run = adapt(model="alice/base", lora_merge=False, push_to_hub=True, hub_model_id="alice/x")
    said = json.loads(hub.files("alice/x")["adapter_config.json"])
    assert (said["base_model_name_or_path"], said["revision"]) == ("alice/base", commit)
    assert "music_config.json" in hub.files("alice/x")
    here, there = (pipeline("midi-continuation", model=place) for place in (str(run / "bundle"), "alice/x"))
    assert here(make_score(1), **SHORT)["token_ids"] == there(make_score(1), **SHORT)["token_ids"]
    assert there.model.config.trained_programs == here.model.config.trained_programs != [0]


# What is refused, before the corpus is read


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": "gpt2"}, "lora_rank adapts weights, and 'gpt2' is new"),
        ({"model": "own_model.MusicGruForCausalLM"}, "lora_rank adapts weights, and 'own_model.*is new"),
        ({"lora_target_modules": "q_proj"}, "(?s)lora_target_modules=.'q_proj'.*linear layers.*c_attn, c_fc, c_proj"),
        ({"lora_target_modules": "c_fc lm_head"}, "(?s)lora_target_modules=.*'lm_head'.*share their weights"),
        ({"lora_target_modules": "wte"}, "(?s)lora_target_modules=.*'wte'.*share their weights"),
        ({"lora_rank": 0}, "lora_rank=0 must be at least 1"),
        ({"lora_dropout": 1}, "lora_dropout=1 must be at least 0 and below 1"),
        ({"lora_alpha": 0}, "lora_alpha=0 must be above 0"),
        ({"lora_rank": None, "lora_alpha": 8}, "lora_alpha=8.0 has no effect with lora_rank=None"),
        ({"lora_rank": None, "lora_merge": False}, "lora_merge=False has no effect with lora_rank=None"),
    ],
)
def test_what_cannot_be_is_refused(adapt, changed, message, monkeypatch):
    monkeypatch.syspath_prepend("examples")
    with pytest.raises(ValueError, match=message):
        adapt(corpus="no/such/folder", **changed)


def test_without_peft_it_is_said_at_once(adapt, monkeypatch):
    monkeypatch.setattr(lora_arguments, "is_peft_available", lambda: False)
    with pytest.raises(ImportError, match="lora_rank=4 trains an adapter.*pip install peft"):
        adapt(corpus="no/such/folder")


def test_an_adapter_goes_on_as_a_whole_model_and_not_as_another_adapter(adapt, bases):
    first = adapt("first", lora_merge=False)
    with pytest.raises(ValueError, match="an adapter of an adapter cannot be loaded"):
        adapt("second", model=first, lora_merge=False, corpus="no/such/folder")
    second = adapt("second", model=first)
    assert plain(second / "bundle").num_parameters() == plain(bases("gpt2")).num_parameters()


def test_what_a_stranger_s_adapter_says_it_was_taught_is_checked(adapt):
    bundle = adapt(lora_merge=False) / "bundle"
    for said, message in (
        ({"trained_programs": [0, 128]}, "trained_programs=.*list of numbers at least -1 and at most 127"),
        ({"trained_programs": "all"}, "trained_programs='all' must be a list"),
        ({"infill_share": True}, "infill_share=True must be at least 0 and at most 1"),
    ):
        (bundle / "music_config.json").write_text(json.dumps(said))
        with pytest.raises(ValueError, match=message):
            adapters.AutoMusicModel.from_pretrained(str(bundle))
    (bundle / "music_config.json").unlink()
    (bundle / "generation_config.json").write_text(json.dumps({"num_beams": 5000}))
    with pytest.raises(ValueError, match="num_beams=5000 must be"):
        adapters.AutoMusicModel.from_pretrained(str(bundle))
