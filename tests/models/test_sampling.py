"""A bundle says itself how it samples, and what is asked for beside that changes nothing else."""

import json

import pytest
import torch
from music import make_score
from tiny import TINY
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, pipeline, set_seed

from neuromusic_hf import MidiContinuationPipeline, build_model
from neuromusic_hf.models import sampling
from neuromusic_hf.models.sampling import sampling_arguments
from neuromusic_hf.runs import ContinuationSettings
from neuromusic_hf.training import ModelArguments

SAMPLES_FROM_ALL = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}


def how(config):
    """What of `SAMPLES_FROM_ALL` a generation config, or the file of one, says."""
    said = json.loads(config.read_text()) if hasattr(config, "read_text") else config.to_dict()
    return {name: said[name] for name in SAMPLES_FROM_ALL if said.get(name) is not None}


def foreign(remi, folder, **said):
    """A GPT-2 from elsewhere, whose generation config says what is given."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=remi.vocab_size, n_embd=32, n_layer=1, n_head=2, n_positions=96))
    model.generation_config.update(**said)
    model.save_pretrained(folder)
    remi.save_pretrained(folder)
    return folder


@pytest.fixture
def pipe(tiny_model, remi):
    return MidiContinuationPipeline(tiny_model("gpt2"), remi, device="cpu")


def test_a_new_bundle_says_how_it_samples(family, tiny_model, tmp_path):
    tiny_model(family).save_pretrained(tmp_path)
    assert how(tmp_path / "generation_config.json") == SAMPLES_FROM_ALL
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert how(loaded.generation_config) == SAMPLES_FROM_ALL
    loaded.save_pretrained(tmp_path / "again")
    assert how(tmp_path / "again" / "generation_config.json") == SAMPLES_FROM_ALL


def test_generate_and_the_pipeline_for_text_sample_as_the_bundle_says(family, tiny_model, remi, tmp_path):
    tiny_model(family).save_pretrained(tmp_path)
    remi.save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    prompt = torch.tensor([remi.encode(make_score(1))[:8]])

    def new(**arguments):
        set_seed(1)
        return model.generate(prompt, max_new_tokens=24, **arguments)[0, 8:]

    assert torch.equal(new(), new(do_sample=True, temperature=1.0, top_k=0, top_p=1.0))
    assert not torch.equal(new(), new(do_sample=False))
    set_seed(1)
    generator = pipeline("text-generation", model=model, tokenizer=remi.tokenizer, device="cpu")
    text = generator(remi.tokenizer.decode(prompt[0]), max_new_tokens=24, return_full_text=False)[0]["generated_text"]
    assert text.strip() == remi.tokenizer.decode(new(), skip_special_tokens=True).strip()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"top_p": 0.95}, SAMPLES_FROM_ALL | {"top_p": 0.95}),
        ({"temperature": 0.8, "top_k": 40}, SAMPLES_FROM_ALL | {"temperature": 0.8, "top_k": 40}),
        ({"temperature": 0}, {"do_sample": False}),
    ],
)
def test_what_is_asked_for_is_saved(family, remi, tiny_model, tmp_path, asked, said):
    model = tiny_model(family, sampling=asked)
    model.save_pretrained(tmp_path)
    assert how(tmp_path / "generation_config.json") == said == how(model.generation_config)
    build_model(str(tmp_path), remi).save_pretrained(tmp_path / "tuned")
    assert how(tmp_path / "tuned" / "generation_config.json") == said


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"top_k": -1}, {"top_p": 0}, {"top_p": 1.1}])
def test_what_is_out_of_range_is_refused(remi, wrong):
    with pytest.raises(ValueError, match="{}={}".format(*next(iter(wrong.items())))):
        sampling_arguments(**wrong)
    with pytest.raises(ValueError, match="{}={}".format(*next(iter(wrong.items())))):
        build_model("gpt2", remi, sampling=wrong)


def test_arguments_say_what_was_given_and_no_more():
    assert sampling_arguments() == {}
    assert sampling_arguments(temperature=0) == {"do_sample": False}
    assert sampling_arguments(top_p=0.95) == {"do_sample": True, "top_p": 0.95}
    given = {"temperature": 0.9, "top_k": 5, "top_p": 0.8}
    assert sampling_arguments(**given) == {"do_sample": True, **given}
    with pytest.raises(ValueError, match="temperature=0 .*top_p=0.9"):
        sampling_arguments(temperature=0, top_p=0.9)


def test_a_model_that_is_tuned_keeps_its_own_way(remi, tmp_path):
    own = {"do_sample": True, "temperature": 0.7, "top_k": 30, "top_p": 0.9}
    model = build_model(str(foreign(remi, tmp_path / "own", **own)), remi)
    assert how(model.generation_config) == own
    model = build_model(str(tmp_path / "own"), remi, sampling={"top_k": 5})
    assert how(model.generation_config) == own | {"top_k": 5}
    model = build_model(str(tmp_path / "own"), remi, sampling={"temperature": 0})
    assert how(model.generation_config) == {"do_sample": False}
    model.save_pretrained(tmp_path / "greedy")

    greedy = build_model(str(foreign(remi, tmp_path / "takes the likeliest", do_sample=False)), remi)
    assert how(greedy.generation_config) == {"do_sample": False}
    greedy = build_model(str(tmp_path / "takes the likeliest"), remi, sampling={"top_p": 0.9})
    assert how(greedy.generation_config) == SAMPLES_FROM_ALL | {"top_p": 0.9}


def test_a_model_that_does_not_say_samples_from_its_own_distribution(remi, tmp_path):
    folder = foreign(remi, tmp_path)
    assert how(folder / "generation_config.json") == {}
    assert how(build_model(str(folder), remi).generation_config) == SAMPLES_FROM_ALL
    pipe = pipeline("midi-continuation", model=str(folder), device="cpu")
    assert pipe.sampling_in_force() == SAMPLES_FROM_ALL
    assert how(pipe.model.generation_config) == {}


def test_the_default_stands_in_one_place(pipe, remi, tmp_path, monkeypatch):
    monkeypatch.setitem(sampling.SAMPLING, "top_p", 0.5)
    changed = SAMPLES_FROM_ALL | {"top_p": 0.5}
    assert how(build_model("gpt2", remi, **TINY).generation_config) == changed
    silent = pipeline("midi-continuation", model=str(foreign(remi, tmp_path)), device="cpu")
    assert silent.sampling_in_force() == changed
    assert ContinuationSettings().generation == {} and not any(ModelArguments().sampling.values())
    assert pipe.sampling_in_force() == SAMPLES_FROM_ALL


def test_the_pipeline_changes_what_is_asked_for_alone(pipe):
    assert pipe.sampling_in_force() == SAMPLES_FROM_ALL
    assert pipe.sampling_in_force(top_p=0.95) == SAMPLES_FROM_ALL | {"top_p": 0.95}
    assert pipe.sampling_in_force(do_sample=False) == {"do_sample": False}
    pipe.model.generation_config.update(temperature=0.7, top_k=30, top_p=0.9, repetition_penalty=1.1)
    own = {"do_sample": True, "temperature": 0.7, "top_k": 30, "top_p": 0.9, "repetition_penalty": 1.1}
    assert pipe.sampling_in_force() == own
    assert pipe.sampling_in_force(top_p=0.95) == own | {"top_p": 0.95}
    made_with = MidiContinuationPipeline(pipe.model, pipe.processor, device="cpu", top_k=5)
    assert made_with.sampling_in_force() == own | {"top_k": 5}
    assert made_with.sampling_in_force(top_k=6, num_beams=2) == own | {"top_k": 6, "num_beams": 2}
    json.dumps(made_with.sampling_in_force())


def test_what_is_in_force_is_what_generate_gets(pipe, monkeypatch):
    pipe.model.generation_config.update(temperature=0.7, top_p=0.9)
    found = []
    generate = type(pipe.model)._sample

    def spy(model, *args, generation_config, **kwargs):
        found.append({name: getattr(generation_config, name) for name in ("temperature", "top_k", "top_p")})
        return generate(model, *args, generation_config=generation_config, **kwargs)

    monkeypatch.setattr(type(pipe.model), "_sample", spy)
    for arguments in ({}, {"top_k": 3}, {"temperature": 0.5, "top_p": 1.0}):
        pipe(make_score(1), prompt_length=20, max_new_tokens=4, **arguments)
        assert {"do_sample": True, **found.pop()} == pipe.sampling_in_force(**arguments)


def test_a_bundle_that_was_made_to_take_the_likeliest_is_saved(pipe, tmp_path):
    pipe.model.generation_config.do_sample = False
    pipe.save_pretrained(tmp_path)
    assert how(tmp_path / "generation_config.json") == {"do_sample": False}
    pipe.model.generation_config.do_sample = True
    assert pipe.sampling_in_force() == SAMPLES_FROM_ALL
