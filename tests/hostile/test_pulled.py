"""Repositories of a stranger on the Hub: refused before their large files come, and before other places are asked."""

import json
import re

import pytest
from hostile.conftest import change

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model
from neuromusic_hf.metrics.embedding import HarmonyEmbedding
from neuromusic_hf.models.adapters import AutoMusicModel

LOADS = {
    "model": AutoMusicModel.from_pretrained,
    "pipeline": MidiContinuationPipeline.from_pretrained,
    "build_model": lambda name: build_model(name, MidiProcessor.from_pretrained(name)),
    "processor": MidiProcessor.from_pretrained,
}


def put(hub, folder, name="mallory/evil"):
    hub.put(name, {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})
    return name


def asked_for(hub) -> set[str]:
    """Repositories and files that requests name."""
    paths = [path for _, path, _ in hub.requests]
    names = {found.group(1) for path in paths if (found := re.search(r"((?:mallory|other|alice)/[\w.\-]+)", path))}
    return names | {path.rpartition("/")[2].partition("?")[0] for path in paths}


@pytest.mark.parametrize("load", LOADS)
def test_an_honest_one_is_pulled(load, hub, honest):
    LOADS[load](put(hub, honest))


@pytest.mark.parametrize(
    ("file", "keys", "values", "loads"),
    [
        ("config.json", (), {"n_layer": 10**9}, ("model", "pipeline", "build_model")),
        ("config.json", (), {"transformers_weights": "x.safetensors"}, ("model", "pipeline", "build_model")),
        ("generation_config.json", (), {"num_beams": 10**6}, ("model", "pipeline", "build_model")),
        ("processor_config.json", ("miditok",), {"class": "stranger.Tokenizer"}, ("processor", "build_model")),
        ("processor_config.json", ("miditok", "config"), {"num_tempos": 2e8}, ("processor", "build_model")),
    ],
    ids=str,
)
def test_weights_are_not_pulled_for_what_is_refused(file, keys, values, loads, hub, evil, stranger, refused):
    change(evil / file, *keys, **values)
    name = put(hub, evil)
    for load in loads:
        hub.requests.clear()
        with refused(file, next(iter(values.values())) if "class" in values else next(iter(values))):
            LOADS[load](name)
        assert "model.safetensors" not in asked_for(hub)


@pytest.mark.parametrize("trust", [True, False, None])
def test_code_of_another_repository_is_not_asked_for(trust, hub, evil, stranger, refused):
    hub.put("other/place", {"modeling.py": b"import stranger"})
    reference = {"AutoConfig": "other/place--modeling.Model", "AutoModelForCausalLM": "other/place--modeling.Model"}
    change(evil / "config.json", auto_map=reference, model_type="stranger")
    name = put(hub, evil)
    for load in (AutoMusicModel.from_pretrained, MidiContinuationPipeline.from_pretrained):
        hub.requests.clear()
        with refused("config.json", "other/place"):
            load(name, trust_remote_code=trust)
        assert "other/place" not in asked_for(hub)


@pytest.mark.parametrize("load", ["model", "pipeline", "build_model"])
def test_nobody_is_asked_whether_code_is_trusted(load, hub, evil, refused):
    change(evil / "config.json", auto_map={"AutoConfig": "modeling.Model"}, model_type="stranger")
    (evil / "modeling.py").write_text("import stranger")
    name = put(hub, evil)
    hub.requests.clear()
    with refused("config.json", "trust_remote_code=True"):
        LOADS[load](name)
    assert "modeling.py" not in asked_for(hub)


@pytest.mark.parametrize("base", ["/etc", "../other", "~/models", "alice"])
def test_the_base_of_an_adapter_is_no_place_on_this_machine(base, hub, tmp_path, monkeypatch, processor_of, refused):
    pytest.importorskip("peft", reason="peft is not installed (pip install neuromusic_hf[adapters])")
    (tmp_path / "alice").mkdir()
    monkeypatch.chdir(tmp_path)
    config = {"base_model_name_or_path": base, "peft_type": "LORA"}
    hub.put("mallory/lora", {"adapter_config.json": json.dumps(config).encode()})
    for load in (AutoMusicModel.from_pretrained, lambda name: build_model(name, processor_of("REMI"))):
        with refused("adapter_config.json", "on this machine", repr(base)):
            load("mallory/lora")


def test_an_embedding_s_files_are_all_that_is_pulled(hub, refused):
    hub.put("mallory/harmony", {"harmony_embedding.json": b"{}", "harmony_embedding.safetensors": b"", "x.py": b"1/0"})
    with refused("harmony_embedding.json"):
        HarmonyEmbedding.from_pretrained("mallory/harmony")
    assert "x.py" not in asked_for(hub)


@pytest.mark.parametrize("trust", [(), ("--trust_remote_code",)])
def test_a_script_refuses_them_too(trust, hub, evil, midi_folder, call_script, tmp_path, refused):
    change(evil / "config.json", n_layer=10**9)
    name = put(hub, evil)
    with refused("config.json", "n_layer"):
        call_script("continue_midi", name, midi_folder, "--output", tmp_path / "out", *trust)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--tokenization", "mallory/evil"), "stranger.Tokenizer"),
        (("--tokenization", "mallory/evil", "--model", "mallory/evil"), "stranger.Tokenizer"),
        (("--model", "mallory/evil"), "stranger.Tokenizer"),
        (("--model", "mallory/evil", "--tokenization", "REMI"), "n_layer"),
    ],
    ids=str,
)
def test_training_does_not_begin_with_them(options, reason, hub, evil, stranger, call_script, tmp_path, refused):
    change(evil / "config.json", n_layer=10**9)
    change(evil / "processor_config.json", "miditok", **{"class": "stranger.Tokenizer"})
    put(hub, evil)
    with refused(reason):
        call_script("train", "--corpus", "bach", *options, "--output_dir", tmp_path / "run")
    assert "model.safetensors" not in asked_for(hub)
