"""Bundles as the release before this one wrote them: they load, continue, are saved anew, and trained on."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from music import make_score
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoProcessor, AutoTokenizer, pipeline

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor
from neuromusic_hf.bundles import save_bundle

EARLIER = Path(__file__).with_name("of_earlier")
FAMILIES = ("llama", "music_transformer")
SETTINGS = {"prompt_length": 40, "max_new_tokens": 16, "do_sample": False}


@pytest.fixture(params=FAMILIES)
def earlier(request, tmp_path) -> Path:
    return shutil.copytree(EARLIER / request.param, tmp_path / "earlier")


def continuation(folder) -> list[int]:
    return pipeline("midi-continuation", model=str(folder), device="cpu")(make_score(1), **SETTINGS)["token_ids"]


def test_every_class_loads_it(earlier):
    weights = load_file(earlier / "model.safetensors")
    model = AutoModelForCausalLM.from_pretrained(earlier)
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items() if name in weights)
    processor, tokenizer = AutoProcessor.from_pretrained(earlier), AutoTokenizer.from_pretrained(earlier)
    assert type(processor) is MidiProcessor
    assert processor.vocabulary_hash == json.loads((earlier / "processor_config.json").read_text())["vocabulary_hash"]
    ids = processor.encode(make_score(1))
    assert tokenizer(tokenizer.decode(ids)).input_ids == ids
    generate = pipeline("text-generation", model=str(earlier), device="cpu")
    prompt = tokenizer.decode(ids[:8])
    assert generate(prompt, max_new_tokens=4, return_full_text=False)[0]["generated_text"].split()


def test_it_is_saved_as_a_bundle_of_today(earlier, tmp_path):
    today = tmp_path / "today"
    pipeline("midi-continuation", model=str(earlier), device="cpu").save_pretrained(today)
    assert continuation(today) == continuation(earlier) != []
    processor = MidiProcessor.from_pretrained(earlier)
    save_bundle(AutoModelForCausalLM.from_pretrained(earlier), processor, tmp_path / "same")
    assert set(os.listdir(tmp_path / "same")) == set(os.listdir(today)) >= set(os.listdir(earlier))
    model = AutoModelForCausalLM.from_pretrained(today)
    assert type(MidiContinuationPipeline(model, device="cpu").processor) is MidiProcessor


def test_training_goes_on_from_it(earlier, midi_folder, tmp_path, call_script):
    values = {
        "model": earlier, "tokenization": earlier, "corpus": midi_folder, "output_dir": tmp_path / "run",
        "context_length": 64, "max_steps": 1, "per_device_train_batch_size": 2, "max_eval_blocks": 2,
        "save_strategy": "no", "eval_strategy": "no", "learning_rate": 1e-2,
    }  # fmt: skip
    call_script("train", *(word for name, value in values.items() for word in (f"--{name}", value)))
    (trained,) = (path.parent for path in (tmp_path / "run").rglob("model.safetensors"))
    before, after = load_file(earlier / "model.safetensors"), load_file(trained / "model.safetensors")
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert MidiProcessor.from_pretrained(trained).to_dict() == MidiProcessor.from_pretrained(earlier).to_dict()
    assert continuation(trained)
