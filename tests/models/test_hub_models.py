"""Models and adapters of the Hub: by revision and token, and known by their commits."""

from pathlib import Path

import peft
import pytest
import torch
from huggingface_hub import snapshot_download
from tiny import ONE_LAYER
from transformers import AutoModelForCausalLM, pipeline

from neuromusic_hf import MidiContinuationPipeline, build_model
from neuromusic_hf.bundles import ModelIdentity, save_bundle
from neuromusic_hf.hub import PullError
from neuromusic_hf.models import check_model
from neuromusic_hf.models.adapters import check_base

BASE, ADAPTER = "alice/base", "alice/adapter"


def put_folder(hub, name, folder, **kwargs) -> str:
    return hub.put(name, {path.name: path.read_bytes() for path in Path(folder).iterdir()}, **kwargs)


@pytest.fixture
def commits(hub, tmp_path, processor_of) -> dict[str, str]:
    """Of a private base, and of two versions of an adapter on it."""
    torch.manual_seed(0)
    base = build_model("gpt2", processor_of("TSD"), context_length=128, **ONE_LAYER)
    save_bundle(base, processor_of("TSD"), tmp_path / "base")
    made = {"base": put_folder(hub, BASE, tmp_path / "base", private=True)}
    model = AutoModelForCausalLM.from_pretrained(BASE)
    model = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["c_attn"], task_type="CAUSAL_LM"))
    for version in ("v1", "main"):
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_" in name:
                    parameter.normal_()
        model.save_pretrained(tmp_path / version)
        (tmp_path / version / "README.md").unlink()
        made[version] = put_folder(hub, ADAPTER, tmp_path / version)
        hub.store.repositories["model", ADAPTER].tags[version] = made[version]
    return made


def logits_of(model) -> torch.Tensor:
    return model.eval()(torch.arange(9)[None]).logits


def test_an_adapter_has_its_revision_and_its_base_another(commits, hub, processor_of, tmp_path):
    played = {}
    for revision in ("v1", "main", commits["v1"]):
        pipe = MidiContinuationPipeline.from_pretrained(ADAPTER, revision=revision)
        commit = commits.get(revision, revision)
        assert ModelIdentity.of(pipe.model) == ModelIdentity(ADAPTER, commit, base=f"{BASE}@{commits['base']}")
        merged = build_model(ADAPTER, processor_of("TSD"), revision=revision)
        assert merged.hub_commit == commit
        torch.testing.assert_close(
            merged.eval()(torch.arange(9)[None]).logits, pipe.model(torch.arange(9)[None]).logits
        )
        played[revision] = pipe.model(torch.arange(9)[None]).logits
    assert not torch.equal(played["v1"], played["main"]) and torch.equal(played["v1"], played[commits["v1"]])
    assert torch.equal(
        pipeline("midi-continuation", model=ADAPTER).model(torch.arange(9)[None]).logits, played["main"]
    )
    check_base(ADAPTER, "v1")


def test_a_token_opens_the_adapter_and_its_base(commits, hub, processor_of, monkeypatch):
    hub.store.repositories["model", ADAPTER].private = True
    monkeypatch.setenv("HF_TOKEN", "")
    with pytest.raises(PullError, match="HF_TOKEN, or give token="):
        MidiContinuationPipeline.from_pretrained(ADAPTER)
    for name in (ADAPTER, BASE):
        pipe = MidiContinuationPipeline.from_pretrained(name, token="hf_alice")
        assert pipe.processor.tokenization == "TSD"
        build_model(name, pipe.processor, token="hf_alice")
        check_model(name, pipe.processor, token="hf_alice")
        with pytest.raises(ValueError, match="(?s)that you may read"):
            build_model(name, pipe.processor)


def test_a_pickle_of_an_adapter_is_not_read(commits, hub, tmp_path):
    (tmp_path / "v1" / "adapter_model.safetensors").rename(tmp_path / "v1" / "adapter_model.bin")
    put_folder(hub, "alice/pickle", tmp_path / "v1")
    for load in (MidiContinuationPipeline.from_pretrained, lambda name: pipeline("midi-continuation", model=name)):
        with pytest.raises(ValueError, match="no adapter_model.safetensors"):
            load("alice/pickle")
    assert not any("adapter_model.bin" in path for method, path, _ in hub.requests)


def test_faults_of_a_model_are_told_apart(commits, processor_of, hub):
    processor = processor_of("TSD")
    for name, revision, words in (
        (BASE, "v9", "no revision 'v9' .it has main"),
        ("alice/none", None, "No model 'alice/none'"),
        ("alice/nothing/here", None, "No model"),
    ):
        for call in (build_model, check_model):
            with pytest.raises((PullError, ValueError), match=words):
                call(name, processor, revision=revision)
    hub.expired.add("hf_alice")
    with pytest.raises(PullError, match="refuses the token"):
        build_model(BASE, processor)


def test_a_folder_of_the_cache_is_known_by_its_commit(commits):
    pipe = MidiContinuationPipeline.from_pretrained(snapshot_download(BASE))
    assert ModelIdentity.of(pipe.model) == ModelIdentity(BASE, commits["base"])
