"""A Hub that is out of order gives a whole bundle or an error in words, not half of one, and nothing stays broken."""

import time

import huggingface_hub
import pytest
from loopback_hub import Cut, Slow, Status, WrongEtag
from transformers import pipeline

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor
from neuromusic_hf.bundles import save_bundle
from neuromusic_hf.hub import PullError
from neuromusic_hf.metrics import HarmonyEmbedding, load_harmony_embedding

NAME = "alice/music"
LASTING = 99
FILES = (
    "adapter_config.json", "/config.json", "generation_config.json", "processor_config.json", "tokenizer.json",
    "tokenizer_config.json", "model.safetensors", "/lfs/",
)  # fmt: skip


@pytest.fixture
def bundle(hub, tmp_path, tiny_model, processor_of, monkeypatch):
    """Of a Hub whose client does not wait before it tries again."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    model = tiny_model("REMI")
    model.generation_config.top_p = 0.9
    save_bundle(model, processor_of("REMI"), tmp_path / "bundle")
    hub.put(NAME, {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()})


def facts(made: MidiContinuationPipeline) -> tuple:
    weights = sum(float(weight.double().abs().sum()) for weight in made.model.parameters())
    return (
        weights,
        made.model.generation_config.top_p,
        made.processor.vocabulary_hash,
        made.processor.tokenizer.eos_token,
    )


def attempt(load):
    try:
        return facts(load(NAME))
    except PullError as error:
        assert NAME in str(error)
        return None


@pytest.mark.parametrize(
    ("fault", "paths"),
    [(Status, FILES), (Cut, FILES[1::3]), (WrongEtag, FILES[1::3])],
    ids=["5xx", "cut", "wrong etag"],
)
def test_a_bundle_is_pulled_whole_or_not_at_all(hub, bundle, fault, paths, tmp_path, monkeypatch):
    expected, failed = facts(MidiContinuationPipeline.from_pretrained(NAME)), 0
    for number, path in enumerate([*paths, "/api/"]):
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / f"cache_{number}"))
        hub.faults[:] = [fault(path, None if fault is Status else "GET", LASTING), Slow("/lfs/", "GET", LASTING)]
        found = attempt(MidiContinuationPipeline.from_pretrained)
        assert found in (None, expected)
        failed += found is None
        hub.faults.clear()
    assert failed >= len(paths) - 1 and facts(MidiContinuationPipeline.from_pretrained(NAME)) == expected


def test_transformers_own_pipeline_does_not_take_half_a_bundle(hub, bundle):
    for file in ("generation_config.json", "tokenizer_config.json"):
        hub.faults[:] = [Status(file, times=LASTING)]
        with pytest.raises((OSError, ValueError), match="The Hub answers 503 when asked for 'alice/music'"):
            pipeline("midi-continuation", model=NAME)
    hub.faults.clear()
    assert pipeline("midi-continuation", model=NAME).model.generation_config.top_p == 0.9


def test_a_token_that_expires_is_said_to_have(hub, bundle, monkeypatch):
    MidiProcessor.from_pretrained(NAME)
    hub.expired.add("hf_alice")
    hub.put(NAME, {"more.txt": b""})
    with pytest.raises(PullError, match="refuses the token"):
        MidiContinuationPipeline.from_pretrained(NAME)


def test_harmony_embeddings_tell_what_is_wrong(hub, bundle, offline):
    with pytest.raises(FileNotFoundError, match="'alice/music' holds no harmony embedding, as it has no harmony_emb"):
        HarmonyEmbedding.from_pretrained(NAME)
    with pytest.raises(OSError, match="no harmony embedding 'alice/none' that can be read: There is no model"):
        load_harmony_embedding("alice/none")
    offline()
    with pytest.raises(OSError, match="'alice/other' was not pulled before.*switched off"):
        load_harmony_embedding("alice/other")
