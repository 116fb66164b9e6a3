"""benchmarks/continuation.py: its figures agree with each other, and its floor counts what a step reads."""

import pytest


def test_figures(run_benchmark):
    lengths = ("--prompt_length", "16", "--new_tokens", "8")
    result = run_benchmark("continuation", "--size", "tiny", *lengths, "--repetitions", "1")
    assert list(result["runs"]) == [f"{model}, batch {b}" for model in ("gpt2", "music_transformer") for b in (1, 16)]
    assert len(result["targets"]) == 12
    for name, row in result["runs"].items():
        assert row["same_greedy_tokens"] == 1
        speeds = row["ours"]["tokens_per_second"]["median"], result["no_cache_tokens_per_second"][name.split(",")[0]]
        assert row["tokens_per_second_to_no_cache"] == pytest.approx(speeds[0] / speeds[1], rel=1e-3)
        milliseconds = [row[way]["milliseconds"]["median"] for way in ("plain_generate", "ours")]
        assert row["ours_to_plain"] == pytest.approx(milliseconds[0] / milliseconds[1], rel=1e-3)


def test_a_step_reads_weights_once_and_keys_and_values_of_every_row(load_benchmark):
    script = load_benchmark("continuation")
    model = script.make_model("gpt2", "tiny", 24)
    weights = sum(tensor.numel() for tensor in model.parameters()) * 4
    assert script.step_bytes(model, batch=3, tokens=20) == weights + 2 * 1 * 3 * 20 * 32 * 4
    llama = script.make_model("llama", "tiny", 24)
    llama.config.num_key_value_heads = 1
    weights = sum(tensor.numel() for tensor in llama.parameters()) * 4
    assert script.step_bytes(llama, batch=1, tokens=10) == weights + 2 * 1 * 10 * 16 * 4
