"""Feed-forward layers are narrowed: what matters stays, and takes over the part of what goes."""

import copy

import pytest
import torch
from tiny import TINY
from torch import nn
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2MoeConfig,
    Qwen2MoeForCausalLM,
)

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.models.narrowing import PARTS, keep_columns, mean_loss, narrow_feed_forward

WIDTH = TINY["intermediate_size"]


def make_model(kind=LlamaForCausalLM, config=LlamaConfig, **sizes):
    torch.manual_seed(0)
    sizes = {"vocab_size": 50, "num_key_value_heads": 2, "initializer_range": 0.2, **TINY, **sizes}
    return kind(config(**sizes)).eval()


@pytest.fixture
def blocks():
    return torch.randint(50, (24, 32), generator=torch.Generator().manual_seed(1))


def layers_of(model) -> list[nn.Module]:
    return [layer.mlp for layer in model.model.layers]


@torch.no_grad()
def logits_of(model, blocks) -> torch.Tensor:
    return model(input_ids=blocks).logits


def test_to_keep_all_neurons_changes_nothing(blocks):
    model = make_model()
    before = copy.deepcopy(model.state_dict())
    told = narrow_feed_forward(model, WIDTH, blocks)
    assert told["loss_before"] == told["loss_after"] and (told["from"], told["to"]) == (WIDTH, WIDTH)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


@pytest.mark.parametrize("mlp_bias", [False, True])
def test_what_stands_twice_goes_and_the_function_stays(blocks, mlp_bias):
    model = make_model(mlp_bias=mlp_bias)
    generator = torch.Generator().manual_seed(2)
    for mlp in layers_of(model):
        order = torch.randperm(WIDTH, generator=generator)
        for part in PARTS[:2]:
            linear = getattr(mlp, part)
            for parameter in linear.parameters():
                if parameter.dim() == 1:
                    nn.init.normal_(parameter, generator=generator)
                parameter.data[order[WIDTH // 2 :]] = parameter.data[order[: WIDTH // 2]]
    before = logits_of(model, blocks)
    narrow_feed_forward(model, WIDTH // 2, blocks)
    assert [mlp.gate_proj.weight.shape[0] for mlp in layers_of(model)] == [WIDTH // 2] * TINY["num_hidden_layers"]
    torch.testing.assert_close(logits_of(model, blocks), before, atol=2e-3, rtol=0)


def test_it_changes_less_than_to_remove_as_many_at_random(blocks):
    narrowed = make_model()
    before = logits_of(narrowed, blocks)
    narrow_feed_forward(narrowed, 40, blocks)
    change = (logits_of(narrowed, blocks) - before).square().mean()
    for seed in range(3):
        cut = make_model()
        for mlp in layers_of(cut):
            gone = torch.randperm(WIDTH, generator=torch.Generator().manual_seed(seed))[40:]
            mlp.down_proj.weight.data[:, gone] = 0
        assert change < 0.5 * (logits_of(cut, blocks) - before).square().mean()


def test_columns_are_fitted_by_least_squares_and_better_than_the_cheapest_by_size():
    torch.manual_seed(3)
    inputs = torch.randn(500, 12, dtype=torch.float64) @ torch.randn(12, 12, dtype=torch.float64)
    weight = torch.randn(5, 12, dtype=torch.float64)
    kept, columns = keep_columns(weight, inputs.T @ inputs, 8)
    assert kept.tolist() == sorted({*kept.tolist()}) and len(kept) == 8
    wanted = inputs @ weight.T
    naive = torch.linalg.lstsq(inputs[:, kept], wanted).solution.T
    torch.testing.assert_close(columns, naive, atol=1e-4, rtol=1e-4)

    def error(columns_kept):
        fitted = torch.linalg.lstsq(inputs[:, columns_kept], wanted).solution
        return (inputs[:, columns_kept] @ fitted - wanted).square().sum()

    by_size = (weight.square().sum(0) * inputs.square().sum(0)).argsort(descending=True)[:8]
    assert error(kept) < error(by_size)


def test_neurons_that_never_fire_go_first(blocks):
    model = make_model()
    for mlp in layers_of(model):
        mlp.up_proj.weight.data[5:9] = 0
    before = logits_of(model, blocks)
    narrow_feed_forward(model, WIDTH - 4, blocks)
    torch.testing.assert_close(logits_of(model, blocks), before, atol=1e-3, rtol=0)


def test_it_is_saved_and_loaded_as_any_other(blocks, tmp_path):
    model = make_model(MistralForCausalLM, MistralConfig)
    narrow_feed_forward(model, 33, blocks)
    assert all(parameter.requires_grad for parameter in model.parameters())
    model.save_pretrained(tmp_path)
    loaded = MistralForCausalLM.from_pretrained(tmp_path)
    assert loaded.config.intermediate_size == 33
    assert torch.equal(logits_of(loaded, blocks), logits_of(model, blocks))
    whole = loaded(input_ids=blocks, labels=blocks).loss.item()
    assert mean_loss(loaded, blocks, 5) == pytest.approx(whole, rel=1e-5)


def test_models_with_other_layers_are_refused_by_name(blocks):
    for family in ("gpt2", "music_transformer"):
        model = build_model(family, MidiProcessor.from_tokenization("REMI"), context_length=64, **TINY)
        with pytest.raises(ValueError, match=f"{type(model).__name__} has no feed-forward part of gate_proj"):
            narrow_feed_forward(model, 8, blocks)
    experts = make_model(Qwen2MoeForCausalLM, Qwen2MoeConfig, num_experts=2, moe_intermediate_size=16)
    with pytest.raises(ValueError, match="Qwen2MoeForCausalLM has no feed-forward part"):
        narrow_feed_forward(experts, 8, blocks)


@pytest.mark.parametrize("size", [0, -1, WIDTH + 1])
def test_more_neurons_than_there_are_and_none_are_refused(blocks, size):
    with pytest.raises(ValueError, match=f"intermediate_size={size} must be 1 to {WIDTH}"):
        narrow_feed_forward(make_model(), size, blocks)
