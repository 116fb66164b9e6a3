"""benchmarks/relative_attention.py: what it times computes the same, and its figures agree with each other."""

import pytest
import torch


@pytest.fixture
def script(load_benchmark):
    return load_benchmark("relative_attention")


def with_gradients(script, name, length):
    tensors = script.layer_tensors(2, length, "fp32")
    for tensor in tensors[:4]:
        tensor.grad = None
    output = script.ATTENTION[name](*tensors[:4])
    output.backward(tensors[4])
    return [output.detach(), *(tensor.grad for tensor in tensors[:4])]


@pytest.mark.parametrize("length", [7, 130])
def test_the_naive_layer_equals_ours(script, length):
    for ours, naive in zip(
        with_gradients(script, "ours", length), with_gradients(script, "naive", length), strict=True
    ):
        torch.testing.assert_close(ours, naive, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_attention_equals_ours(script):
    tensors = [tensor.detach() for tensor in script.layer_tensors(2, 150, "fp32")[:4]]
    torch.testing.assert_close(script.flex(*tensors), script.ours(*tensors), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_fused_attention_is_ours_without_distances(script):
    query, key, value, embeddings, _ = script.layer_tensors(1, 20, "fp32")
    ours = script.ours(query, key, value, torch.zeros_like(embeddings))
    torch.testing.assert_close(script.causal_sdpa(query, key, value, embeddings), ours, rtol=1e-4, atol=1e-4)


def test_figures(run_benchmark):
    options = ("--length", "64", "--memory_lengths", "512", "--precisions", "fp32", "--steps", "2")
    result = run_benchmark("relative_attention", *options, "--repetitions", "1")
    assert list(result["precisions"]) == ["fp32"]
    row = result["precisions"]["fp32"]
    times = {name: spread["median"] for name, spread in row["milliseconds"].items()}
    ratios, memory = row["ratios"], row["memory_mib"]
    assert ratios["ours_to_causal_sdpa"] == pytest.approx(times["ours"] / times["causal_sdpa"], rel=1e-3)
    assert ratios["naive_to_causal_sdpa"] == pytest.approx(times["naive"] / times["causal_sdpa"], rel=1e-3)
    assert memory["ours"]["512"] > 0
    expected = memory["ours"]["512"] / memory["naive"]["512"]
    assert ratios["memory_ours_to_naive"]["512"] == pytest.approx(expected, rel=1e-3)
    assert "fp32, MiB at 512 tokens, ours to naive" in result["targets"]


def test_growth_is_of_the_longest_to_each_shorter(script):
    times = {name: {"median": 1.0} for name in ("ours", "naive", "causal_sdpa")}
    memory = {"ours": {"10": 2.0, "20": 4.0, "40": 9.0}, "naive": {"10": 8.0, "20": 32.0, "40": 128.0}}
    ratios = script.ratios_of({"milliseconds": times, "memory_mib": memory})
    assert ratios["memory_ours"] == {"40_to_10": 4.5, "40_to_20": 2.25}
    targets = script.targets_of({"fp32": {"ratios": ratios}})
    assert targets["fp32, MiB at 40 tokens, ours to naive"] == {"found": 9 / 128, "at_most": 0.25, "met": True}
