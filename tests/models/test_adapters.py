"""LoRA adapters as people share them: a folder that names its base."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import peft
import pytest
import torch
from music import make_score
from tiny import TINY
from transformers import AutoModelForCausalLM, pipeline

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model
from neuromusic_hf.bundles import ModelIdentity
from neuromusic_hf.models import adapters
from neuromusic_hf.reports.run_model import NotAvailable, load_run_model

TARGETS = {
    "gpt2": ["c_attn", "c_fc"],
    "llama": ["q_proj", "down_proj"],
    "music_transformer": "all-linear",
}
SETTINGS = {"prompt_length": 40, "max_new_tokens": 12, "do_sample": False}


@pytest.fixture(scope="module")
def processor():
    return MidiProcessor.from_tokenization("TSD")


def save_base(folder, family, processor):
    torch.manual_seed(0)
    build_model(family, processor, context_length=256, sampling={"top_p": 0.9}, **TINY).save_pretrained(folder)
    processor.save_pretrained(folder)


def save_adapter(folder, base, family, config=None):
    """An adapter that changes what is played, and the model with it."""
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    torch.manual_seed(1)
    config = config or peft.LoraConfig(r=8, target_modules=TARGETS[family], task_type="CAUSAL_LM")
    model = peft.get_peft_model(model, config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.2)
    model.save_pretrained(folder)
    return model


@pytest.fixture(scope="module")
def folders(processor, tmp_path_factory):
    """By family: base, adapter, and the model with it."""
    made = {}
    for family in TARGETS:
        base, adapter = (str(tmp_path_factory.mktemp(family) / name) for name in ("base", "adapter"))
        save_base(base, family, processor)
        made[family] = base, adapter, save_adapter(adapter, base, family)
    return made


@pytest.fixture(params=TARGETS)
def case(request, folders):
    return folders[request.param]


def test_build_model_merges_it_into_a_whole_model_that_is_trained_and_saved(case, processor, tmp_path):
    base, adapter, expected = case
    model = build_model(adapter, processor, context_length=256)
    ids = torch.tensor([processor.encode(make_score(1))[:64]])
    with torch.no_grad():
        assert not torch.allclose(model(ids).logits, build_model(base, processor)(ids).logits, atol=0.1)
        torch.testing.assert_close(model.eval()(ids).logits, expected(ids).logits, atol=1e-4, rtol=1e-4)
    assert type(model) is type(AutoModelForCausalLM.from_pretrained(base))
    assert model.generation_config.do_sample and model.generation_config.top_p == 0.9
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any("lora" in name for name in model.state_dict())
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists() and not (tmp_path / "adapter_config.json").exists()
    with torch.no_grad():
        again = AutoModelForCausalLM.from_pretrained(tmp_path)
        torch.testing.assert_close(again(ids).logits, model(ids).logits, atol=1e-5, rtol=1e-5)


def test_the_pipeline_plays_the_adapter_from_its_folder_and_as_an_object(case):
    base, adapter, expected = case
    from_folder = pipeline("midi-continuation", model=adapter, device="cpu")
    result = from_folder(make_score(1), **SETTINGS)
    assert result["token_ids"] != pipeline("midi-continuation", model=base)(make_score(1), **SETTINGS)["token_ids"]
    as_object = MidiContinuationPipeline(expected, device="cpu")
    assert as_object(make_score(1), **SETTINGS)["token_ids"] == result["token_ids"]
    assert from_folder.sampling_in_force()["top_p"] == as_object.sampling_in_force()["top_p"] == 0.9
    free = from_folder(make_score(1), **SETTINGS, constrained=False)
    ids = torch.tensor([free["prompt_token_ids"]])
    plain = expected.generate(input_ids=ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :].tolist()
    assert free["token_ids"] == [index for index in plain if index not in (0, 2)]


def test_the_processor_lies_beside_the_adapter_or_the_base(folders, processor, tmp_path):
    base, adapter, _ = folders["gpt2"]
    assert adapters.load_processor(adapter).vocabulary_hash == processor.vocabulary_hash
    bare, own = shutil.copytree(base, tmp_path / "bare"), shutil.copytree(adapter, tmp_path / "own")
    (bare / "processor_config.json").unlink()
    (bare / "tokenizer.json").unlink()
    set_base(own, str(bare))
    with pytest.raises(ValueError, match="No MidiProcessor can be loaded"):
        pipeline("midi-continuation", model=str(own))
    processor.save_pretrained(own)
    result = pipeline("midi-continuation", model=str(own), device="cpu")(make_score(1), **SETTINGS)
    assert result["token_ids"] == pipeline("midi-continuation", model=adapter)(make_score(1), **SETTINGS)["token_ids"]


def test_a_run_names_the_adapter_and_notices_other_weights_of_it_or_of_its_base(folders, tmp_path):
    base, adapter, _ = folders["gpt2"]
    base = shutil.copytree(base, tmp_path / "base")
    adapter = shutil.copytree(adapter, tmp_path / "adapter")
    set_base(adapter, str(base))
    identity = ModelIdentity.of(pipeline("midi-continuation", model=str(adapter)).model)
    assert identity.name == str(adapter) and identity.is_of_folder
    assert identity.revision != ModelIdentity.of(pipeline("midi-continuation", model=str(base)).model).revision
    run = SimpleNamespace(model=identity)
    assert load_run_model(run).model_type == "gpt2"
    for folder, name in ((adapter, "adapter_model.safetensors"), (base, "model.safetensors")):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(NotAvailable, match="holds other weights by now"):
            load_run_model(run)
        (folder / name).write_bytes(content)


def test_the_script_continues_with_it(folders, tmp_path, call_script):
    _, adapter, _ = folders["gpt2"]
    make_score(1).dump_midi(tmp_path / "song.mid")
    lengths = ["--prompt_length", "60", "--continue_length", "40", "--no-save_pictures"]
    call_script("continue_midi", adapter, tmp_path / "song.mid", "--output", tmp_path / "out", *lengths)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["settings"]["model"]["name"] == adapter


def set_base(adapter, base):
    path = Path(adapter, "adapter_config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": base}))


def test_a_base_that_is_missing_is_named_with_the_adapter_and_the_remedy(folders, processor, tmp_path):
    adapter = str(shutil.copytree(folders["gpt2"][1], tmp_path / "adapter"))
    for base in (str(tmp_path / "gone"), "runs/gone"):
        set_base(adapter, base)
        for load in (lambda: build_model(adapter, processor), lambda: adapters.check_base(adapter)):
            with pytest.raises(ValueError, match=f"(?s){adapter} is an adapter .LORA. of {base}.*base_model_name"):
                load()
    set_base(adapter, None)
    with pytest.raises(ValueError, match="names no base model"):
        build_model(adapter, processor)
    Path(adapter, "adapter_config.json").write_text("{")
    with pytest.raises(ValueError, match=f"{adapter}/adapter_config.json is no JSON"):
        build_model(adapter, processor)


def test_a_relative_base_is_found_from_where_one_stands(folders, processor, tmp_path, monkeypatch):
    base, adapter = shutil.copytree(folders["gpt2"][0], tmp_path / "runs" / "base"), tmp_path / "adapter"
    shutil.copytree(folders["gpt2"][1], adapter)
    set_base(adapter, os.path.relpath(base, tmp_path))
    monkeypatch.chdir(tmp_path)
    assert build_model("adapter", processor).config.vocab_size == processor.vocab_size


def test_an_adapter_of_another_model_is_refused(folders, processor, tmp_path):
    adapter = str(shutil.copytree(folders["gpt2"][1], tmp_path / "adapter"))
    set_base(adapter, folders["llama"][0])
    with pytest.raises(ValueError, match=f"(?s){adapter} is an adapter .LORA. of {folders['llama'][0]}"):
        build_model(adapter, processor)


def test_a_whole_model_with_an_adapter_in_one_folder_is_refused(folders, processor, tmp_path):
    base, adapter, _ = folders["gpt2"]
    both = shutil.copytree(base, tmp_path / "both")
    shutil.copytree(adapter, both, dirs_exist_ok=True)
    with pytest.raises(ValueError, match="holds a whole model and an adapter"):
        build_model(str(both), processor)


def test_prompt_tuning_is_no_change_of_weights_and_is_refused(folders, processor, tmp_path):
    base = folders["gpt2"][0]
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    model = save_adapter(tmp_path / "tuned", base, "gpt2", config)
    with pytest.raises(ValueError, match="PROMPT_TUNING.*changes no weights"):
        build_model(str(tmp_path / "tuned"), processor)
    with pytest.raises(ValueError, match="PROMPT_TUNING.*virtual"):
        MidiContinuationPipeline(model, device="cpu")
    with pytest.raises(ValueError, match="PROMPT_TUNING"):
        pipeline("midi-continuation", model=str(tmp_path / "tuned"))


def test_without_peft_its_name_is_said(folders, processor, monkeypatch):
    monkeypatch.setattr(adapters, "is_peft_available", lambda: False)
    for load in (lambda: build_model(folders["gpt2"][1], processor), lambda: adapters.check_base(folders["gpt2"][1])):
        with pytest.raises(ImportError, match="pip install peft"):
            load()


def test_an_adapter_of_a_larger_vocabulary_than_its_base_is_refused(folders, tmp_path):
    base = folders["gpt2"][0]
    mine = MidiProcessor.from_pretrained(base)
    mine.tokenizer.add_tokens(["Genre_Jazz"])
    model = AutoModelForCausalLM.from_pretrained(base)
    model.resize_token_embeddings(len(mine.tokenizer))
    config = peft.LoraConfig(r=2, target_modules=["c_attn"], modules_to_save=["wte"], task_type="CAUSAL_LM")
    peft.get_peft_model(model, config).save_pretrained(tmp_path)
    mine.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=f"{tmp_path} on its base {base}.* ids and the processor"):
        build_model(str(tmp_path), MidiProcessor.from_pretrained(tmp_path))
