"""The script that narrows a model: a bundle to train on from, which says what it is."""

import json

import pytest
import torch
from full_bundle import RECIPE, RUN, add_records
from tiny import TINY

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model, load_corpus, models
from neuromusic_hf.bundles import save_bundle, splits_of_model

SHARES, HALF = (0.25, 0.25, 0.5), (0.5, 0.25, 0.25)


@pytest.fixture
def wide(tmp_path):
    """The folder of a run that left a Llama."""
    torch.manual_seed(0)
    processor = MidiProcessor.from_tokenization("REMI")
    save_bundle(build_model("llama", processor, context_length=64, **TINY), processor, tmp_path / "run" / "bundle")
    course = {"nats_per_note": [{"step": 10, "value": 2.0}], "kept_step": 10, "last_step": 10}
    lora = {"rank": 4, "trained_parameters": 5, "base_parameters": 6, "merged": True}
    corpora = [{"name": "songs", "splits": "families-1", "split_shares": [*SHARES]}]
    add_records(tmp_path / "run" / "bundle", RUN | {"corpora": corpora, "course": course, "lora": lora})
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
    assert "Nats per note on validation" not in card and "LoRA of rank 4" in card


def test_neurons_are_judged_by_what_the_model_was_trained_on(wide, midi_folder, call_script, tmp_path, monkeypatch):
    judged_by, blocks_of = [], models.calibration_blocks

    def calibration_blocks(pieces, *args, **options):
        judged_by.append({*pieces["content_hash"]})
        return blocks_of(pieces, *args, **options)

    monkeypatch.setattr(models, "calibration_blocks", calibration_blocks)
    options = ["--intermediate_size", "24", "--calibration_blocks", "1", "--num_proc", "1", "--output"]
    call_script("narrow_model", wide, midi_folder, *options, tmp_path / "as_trained")
    call_script("narrow_model", wide, midi_folder, *options, tmp_path / "asked", "--split_shares", *HALF)
    trains = [load_corpus(midi_folder, split_shares=shares)["train"] for shares in (SHARES, HALF)]
    expected = [{*train["content_hash"]} for train in trains]
    assert judged_by == expected and expected[0] != expected[1]


def test_a_corpus_that_fills_no_block_is_refused(wide, midi_folder, call_script, tmp_path):
    processor = MidiProcessor.from_tokenization("REMI")
    save_bundle(build_model("llama", processor, context_length=1 << 18, **TINY), processor, tmp_path / "long")
    options = ["--intermediate_size", "24", "--num_proc", "1", "--output", tmp_path / "narrow"]
    with pytest.raises(ValueError, match="do not fill a block of 262144 tokens"):
        call_script("narrow_model", tmp_path / "long", midi_folder, *options)
