"""Bases that adapters name: trust in an adapter is trust in its repository, and in what else its owner has there."""

import shutil

import pytest
from hostile.conftest import change
from hostile.test_pulled import asked_for, put
from huggingface_hub import snapshot_download
from tiny import ONE_LAYER
from transformers import AutoModelForCausalLM

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model
from neuromusic_hf.bundles import save_bundle
from neuromusic_hf.models import MusicTransformerForCausalLM
from neuromusic_hf.models.adapters import AutoMusicModel, load_processor

peft = pytest.importorskip("peft", reason="peft is not installed (pip install neuromusic_hf[adapters])")

TRUSTING = {
    "model": lambda name: AutoMusicModel.from_pretrained(name, trust_remote_code=True),
    "pipeline": lambda name: MidiContinuationPipeline.from_pretrained(name, trust_remote_code=True),
    "build_model": lambda name: build_model(name, MidiProcessor.from_tokenization("REMI"), trust_remote_code=True),
}
CODE = """
from transformers import GPT2Config, GPT2LMHeadModel


class Config(GPT2Config):
    model_type = "own"


class Own(GPT2LMHeadModel):
    config_class = Config
"""


@pytest.fixture
def needs_code(evil):
    """A bundle that code of its own alone can load."""
    (evil / "own.py").write_text(CODE)
    change(evil / "config.json", auto_map={"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Own"})
    change(evil / "config.json", model_type="own")
    return evil


@pytest.fixture
def on(honest_adapter, tmp_path):
    """The folder of an adapter on a base."""

    def name(base):
        folder = shutil.copytree(honest_adapter, tmp_path / "lora", dirs_exist_ok=True)
        change(folder / "adapter_config.json", base_model_name_or_path=str(base))
        return folder

    return name


@pytest.fixture(params=["on the Hub", "in the cache", "in a folder"])
def place(request, hub):
    """Where an adapter lies: what it is loaded by."""

    def of(folder):
        if request.param == "in a folder":
            return str(folder)
        name = put(hub, folder, "bob/lora")
        return name if request.param == "on the Hub" else snapshot_download(name)

    return of


@pytest.mark.parametrize("load", TRUSTING)
def test_code_of_another_owner_s_base_is_not_run(load, place, on, hub, needs_code, refused):
    name = place(on(put(hub, needs_code, "mallory/base")))
    hub.requests.clear()
    with refused(name, "mallory/base", "load mallory/base yourself", "merge"):
        TRUSTING[load](name)
    assert "own.py" not in asked_for(hub)


def test_nor_the_class_of_its_processor_imported(place, on, hub, evil, stranger, refused):
    change(evil / "processor_config.json", "miditok", **{"class": "stranger.Tokenizer"})
    name = place(on(put(hub, evil, "mallory/base")))
    for load in (load_processor, MidiContinuationPipeline.from_pretrained):
        with refused(name, "mallory/base", "load mallory/base yourself"):
            load(name, trust_remote_code=True)


@pytest.mark.parametrize("load", TRUSTING)
def test_a_base_that_is_an_adapter_leads_nowhere(load, on, hub, honest, needs_code, refused):
    put(hub, needs_code, "mallory/base")
    put(hub, honest, "bob/base")
    put(hub, on("mallory/base"), "bob/base")
    name = put(hub, on("bob/base"), "bob/lora")
    hub.requests.clear()
    with refused("bob/base", "an adapter itself"):
        TRUSTING[load](name)
    assert "mallory/base" not in asked_for(hub)


def test_a_pulled_adapter_names_no_folder_here(on, hub, needs_code, refused):
    name = snapshot_download(put(hub, on(needs_code), "bob/lora"))
    with refused("adapter_config.json", "on this machine"):
        AutoMusicModel.from_pretrained(name, trust_remote_code=True)


@pytest.mark.parametrize("load", TRUSTING)
def test_one_owner_s_adapter_and_base_are_trusted_together(load, on, hub, needs_code):
    name = put(hub, on(put(hub, needs_code, "bob/base")), "bob/lora")
    loaded = TRUSTING[load](name)
    assert type(getattr(loaded, "model", loaded)).__name__ == "Own"
    assert "own.py" in asked_for(hub)


def test_so_are_folders_of_this_machine(on, needs_code):
    assert type(AutoMusicModel.from_pretrained(str(on(needs_code)), trust_remote_code=True)).__name__ == "Own"


@pytest.mark.parametrize("trust", [False, True])
def test_a_music_transformer_of_anyone_needs_no_trust(trust, on, hub, tmp_path, processor_of):
    model = build_model("music_transformer", processor_of("REMI"), context_length=64, **ONE_LAYER)
    save_bundle(model, processor_of("REMI"), tmp_path / "music")
    base = put(hub, tmp_path / "music", "mallory/music")
    lora = peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear")
    peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora).save_pretrained(tmp_path / "lora")
    name = put(hub, tmp_path / "lora", "bob/lora")
    pipe = MidiContinuationPipeline.from_pretrained(name, trust_remote_code=trust)
    assert type(pipe.model) is MusicTransformerForCausalLM
    assert type(build_model(name, pipe.processor, trust_remote_code=trust)) is MusicTransformerForCausalLM
