"""benchmarks/decoding.py: what it leaves out is the relative positions, and its figures agree with each other."""

import pytest
import torch

from neuromusic_hf.models import MusicTransformerConfig, MusicTransformerForCausalLM


@pytest.fixture
def script(load_benchmark):
    return load_benchmark("decoding")


@pytest.fixture
def model(script):
    torch.manual_seed(0)
    return MusicTransformerForCausalLM(MusicTransformerConfig(**script.SIZES["tiny"], initializer_range=0.5)).eval()


@torch.no_grad()
@pytest.mark.parametrize("cache", ["dynamic", "static"])
def test_without_relative_positions_is_with_embeddings_of_nothing(script, model, cache):
    def logits():
        torch.manual_seed(0)
        past_key_values = script.filled_cache(model, cache, 2, 30, 40)
        return model(torch.tensor([[5], [6]]), past_key_values=past_key_values, use_cache=True).logits

    complete = logits()
    script.set_relative_positions(model, False)
    without = logits()
    script.set_relative_positions(model, True)
    torch.testing.assert_close(logits(), complete)
    assert not torch.allclose(without, complete, atol=1e-2)
    for layer in model.model.layers:
        layer.self_attn.relative_positions.weight.zero_()
    torch.testing.assert_close(logits(), without)


@pytest.mark.parametrize("cache", ["dynamic", "static"])
def test_steps_take_turns(script, model, cache, monkeypatch):
    order = []
    monkeypatch.setattr(script, "set_relative_positions", lambda model, on: order.append(on))
    found = script.timed_run(model, cache, precision="bf16", batch=2, context=20, steps=3)
    assert {name: len(times) for name, times in found.items()} == {"with": 3, "without": 3}
    assert order == [True, False, False, True, True, False, False, True, True, False]


def test_figures(run_benchmark):
    options = ("--size", "tiny", "--context", "32", "--batches", "1", "--precisions", "fp32", "--caches", "dynamic")
    long = ("--long_size", "tiny", "--new_tokens", "8,16,32")
    result = run_benchmark("decoding", *options, *long, "--steps", "2", "--repetitions", "1")
    assert list(result["step"]) == ["fp32, batch 1, dynamic cache"]
    for row in result["step"].values():
        medians = {name: spread["median"] for name, spread in row["milliseconds"].items()}
        assert row["relative_share"] == pytest.approx(1 - medians["without"] / medians["with"], abs=1e-3)
        assert row["relative_share_of_each_run"] == [row["relative_share"]]
    assert len(result["targets"]) == 1
    assert list(result["long_generation"]) == ["static", "dynamic"]
    for row in result["long_generation"].values():
        memory, held, growth = (row[name] for name in ("memory_mib", "cache_mib", "growth_beyond_cache_mib"))
        assert list(memory) == list(held) == list(growth) == ["8", "16", "32"]
        assert growth["32"] == pytest.approx(memory["32"] - memory["8"] - (held["32"] - held["8"]), abs=0.1)
    per_token = 2 * 32 * 4 / 2**20
    assert result["long_generation"]["dynamic"]["cache_mib"]["8"] == pytest.approx(8 * per_token, rel=1e-3)
    assert result["long_generation"]["static"]["cache_mib"]["8"] == pytest.approx(32 * per_token, rel=1e-3)
