"""A bundle that ships: half the bytes, the same model, and nothing that tells of other weights."""

import json

import pytest
import torch
from full_bundle import add_records
from safetensors.torch import load_file, save_file
from tiny import TINY

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model
from neuromusic_hf.bundles import bundle_files, save_bundle
from neuromusic_hf.bundles.shipping import save_for_shipping

PROCESSOR = MidiProcessor.from_tokenization("REMI")


@pytest.fixture(params=["llama", "music_transformer"])
def source(request, tmp_path):
    torch.manual_seed(0)
    model = build_model(request.param, PROCESSOR, context_length=64, **TINY)
    save_bundle(model, PROCESSOR, tmp_path / "run" / "bundle")
    add_records(tmp_path / "run" / "bundle")
    return tmp_path / "run" / "bundle"


def test_the_model_is_the_same_but_for_rounding_and_computes_in_float32(source, tmp_path):
    save_for_shipping(source.parent, tmp_path / "shipped")
    before, after = (MidiContinuationPipeline.from_pretrained(place).model for place in (source, tmp_path / "shipped"))
    assert after.dtype == torch.float32
    for name, weight in before.named_parameters():
        assert torch.equal(after.get_parameter(name), weight.half().float())
    ids = torch.arange(1, 33)[None]
    torch.testing.assert_close(after(ids).logits, before(ids).logits, atol=5e-3, rtol=0)


def test_the_files_are_those_of_the_bundle_but_for_what_tells_of_its_weights(source, tmp_path):
    save_for_shipping(source, tmp_path / "shipped")
    left_out = {"scores.json", *(name for name in bundle_files(source) if name.startswith("examples/"))}
    assert {*bundle_files(tmp_path / "shipped")} == {*bundle_files(source)} - left_out
    weights, halves = ((place / "model.safetensors").stat().st_size for place in (source, tmp_path / "shipped"))
    assert halves < weights * 0.55
    assert json.loads((tmp_path / "shipped" / "config.json").read_text())["dtype"] == "float32"


def test_a_folder_that_holds_files_is_refused_and_stays(source):
    before = {name: (source / name).read_bytes() for name in bundle_files(source)}
    with pytest.raises(ValueError, match="holds files already"):
        save_for_shipping(source, source)
    assert {name: (source / name).read_bytes() for name in bundle_files(source)} == before


def test_weights_in_shards_are_put_into_one_file(tmp_path):
    torch.manual_seed(0)
    model = build_model("llama", PROCESSOR, context_length=64, **TINY)
    save_bundle(model, PROCESSOR, tmp_path / "shards", max_shard_size="100KB")
    assert not (tmp_path / "shards" / "model.safetensors").exists()
    save_for_shipping(tmp_path / "shards", tmp_path / "shipped")
    assert load_file(tmp_path / "shipped" / "model.safetensors").keys() == model.state_dict().keys()


def test_weights_that_float16_cannot_hold_are_refused(source, tmp_path):
    path = source / "model.safetensors"
    weights = load_file(path)
    name = next(iter(weights))
    save_file(weights | {name: weights[name] + 70_000}, path, {"format": "pt"})
    with pytest.raises(ValueError, match=f"{name} holds weights that float16 cannot hold"):
        save_for_shipping(source, tmp_path / "shipped")
    assert not (tmp_path / "shipped").exists()


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "x"}')
    with pytest.raises(ValueError, match="is an adapter"):
        save_for_shipping(tmp_path / "lora", tmp_path / "shipped")
    PROCESSOR.save_pretrained(tmp_path / "processor")
    with pytest.raises(ValueError, match="holds no weights"):
        save_for_shipping(tmp_path / "processor", tmp_path / "shipped")
