"""What fine-tuning costs, measured on a tiny bundle. No times are judged."""

import pytest
from tiny import ONE_LAYER

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.bundles import save_bundle


def test_finetune_cost(run_benchmark, tmp_path):
    processor = MidiProcessor.from_tokenization("REMI")
    model = build_model("llama", processor, context_length=64, **ONE_LAYER)
    save_bundle(model, processor, tmp_path / "tiny")
    options = ("--ranks", "2", "--rows", "2", "--context_length", "32", "--steps", "1", "--repetitions", "1")
    result = run_benchmark("finetune_cost", "--model", str(tmp_path / "tiny"), *options)
    assert result["settings"] == {"model": "tiny", "rows": 2, "length": 32, "steps": 1}
    runs, ratios = result["runs"], result["ratios_to_all_weights"]
    whole = model.num_parameters()
    assert runs["all_weights"]["trained_parameters"] == runs["lora_2"]["parameters"] == whole
    trained = 2 * (4 * (32 + 32) + 3 * (32 + 64))
    assert runs["lora_2"]["trained_parameters"] == trained
    assert 8 * trained <= runs["lora_2"]["optimizer_bytes"] < 8 * trained + 1024  # two moments, and counts of steps
    for figure in ("optimizer_bytes", "saved_bytes", "trained_parameters"):
        expected = runs["lora_2"][figure] / runs["all_weights"][figure]
        assert ratios["lora_2"][figure] == pytest.approx(expected, rel=1e-3)
