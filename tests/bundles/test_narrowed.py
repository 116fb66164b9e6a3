"""The script that narrows a model: a bundle to train on from, which says what it is."""

import json

import pytest
import torch
from full_bundle import RECIPE, RUN, add_records
from tiny import TINY

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model
from neuromusic_hf.bundles import save_bundle, splits_of_model


@pytest.fixture
def wide(tmp_path):
    """The folder of a run that left a Llama."""
    torch.manual_seed(0)
    processor = MidiProcessor.from_tokenization("REMI")
    save_bundle(build_model("llama", processor, context_length=64, **TINY), processor, tmp_path / "run" / "bundle")
    add_records(tmp_path / "run" / "bundle", RUN | {"corpora": [{"name": "songs", "splits": "families-1"}]})
    return tmp_path / "run"


def test_it_leaves_a_bundle_with_a_record_that_is_true(wide, midi_folder, call_script, tmp_path):
    options = ["--intermediate_size", "24", "--calibration_blocks", "4", "--num_proc", "1"]
    call_script("narrow_model", wide, midi_folder, *options, "--output", tmp_path / "narrow")
    model = MidiContinuationPipeline.from_pretrained(tmp_path / "narrow").model
    assert model.config.intermediate_size == 24
    assert {layer.mlp.down_proj.in_features for layer in model.model.layers} == {24}

    record = json.loads((tmp_path / "narrow" / "run.json").read_text())
    narrowed = record["narrowed"]
    assert (narrowed["from"], narrowed["to"], narrowed["tokens"]) == (TINY["intermediate_size"], 24, 4 * 64)
    assert record["parameters"] == model.num_parameters() and record["optimizer_steps"] == RUN["optimizer_steps"]
    assert "metrics" not in record and not (tmp_path / "narrow" / "scores.json").exists()
    assert (tmp_path / "narrow" / "recipe.yaml").read_text() == (wide / "bundle" / "recipe.yaml").read_text()
    assert str(RECIPE["max_steps"]) in (tmp_path / "narrow" / "recipe.yaml").read_text()
    assert splits_of_model(tmp_path / "narrow") == splits_of_model(wide / "bundle")
    card = (tmp_path / "narrow" / "README.md").read_text()
    assert f"narrowed from {TINY['intermediate_size']} to 24 neurons" in card


def test_a_corpus_that_fills_no_block_is_refused(wide, midi_folder, call_script, tmp_path):
    processor = MidiProcessor.from_tokenization("REMI")
    save_bundle(build_model("llama", processor, context_length=1 << 18, **TINY), processor, tmp_path / "long")
    options = ["--intermediate_size", "24", "--num_proc", "1", "--output", tmp_path / "narrow"]
    with pytest.raises(ValueError, match="do not fill a block of 262144 tokens"):
        call_script("narrow_model", tmp_path / "long", midi_folder, *options)
