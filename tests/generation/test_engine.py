"""The cache in place and the packed weights change speed, and nothing else."""

import copy
import gc
import math
import weakref
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import DynamicCache, MistralConfig, MistralForCausalLM
from transformers.cache_utils import DynamicLayer
from transformers.pytorch_utils import Conv1D

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.generation.engine import (
    PackedLinear,
    PreallocatedLayer,
    packed_model,
    preallocated_cache,
    sum_of_bits,
)

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}


@pytest.fixture(params=("gpt2", "llama", "music_transformer"))
def model(request):
    torch.manual_seed(0)
    processor = MidiProcessor.from_tokenization("REMI")
    return build_model(request.param, processor, context_length=64, initializer_range=0.3, **TINY).eval()


def states(tokens, rows=3):
    return torch.randn(rows, 2, tokens, 4), torch.randn(rows, 2, tokens, 4)


def test_a_layer_holds_what_the_dynamic_one_holds():
    """Through growth, cropping, other beams and fewer rows."""
    torch.manual_seed(0)
    ours, reference = PreallocatedLayer(capacity=4), DynamicLayer()
    changes = [
        lambda layer: layer.crop(-2),
        lambda layer: layer.reorder_cache(torch.tensor([2, 2, 0])),
        lambda layer: layer.crop(-4),
        lambda layer: layer.batch_select_indices(torch.tensor([1, 0])),
        lambda layer: layer.batch_repeat_interleave(2),
    ]
    for tokens, change in zip((3, 1, 7, 1, 1), changes, strict=True):
        new = states(tokens, rows=3 if not reference.is_initialized else reference.keys.shape[0])
        for found, expected in zip(ours.update(*new), reference.update(*new), strict=True):
            assert torch.equal(found, expected)
        change(ours)
        change(reference)
        assert ours.get_seq_length() == reference.get_seq_length()
    new = states(2, rows=4)
    for found, expected in zip(ours.update(*new), reference.update(*new), strict=True):
        assert torch.equal(found, expected)


def test_a_step_copies_nothing_that_was_there():
    layer = PreallocatedLayer(capacity=8)
    places = [layer.update(*states(tokens))[0].data_ptr() for tokens in (5, 1, 1, 1)]
    assert len(set(places)) == 1
    assert layer.update(*states(1))[0].shape[2] == 9
    assert layer.capacity == 16


def test_a_layer_that_was_emptied_begins_anew():
    layer = PreallocatedLayer(capacity=8)
    layer.update(*states(3))
    layer.crop(-3)
    new = states(2)
    assert torch.equal(layer.update(*new)[0], new[0])


def test_models_with_other_caches_keep_them(model):
    assert len(preallocated_cache(model, 8).layers) == 2
    sliding = MistralForCausalLM(MistralConfig(**TINY, vocab_size=10, num_key_value_heads=2, sliding_window=4))
    assert type(DynamicCache(config=sliding.config).layers[0]) is not DynamicLayer
    assert preallocated_cache(sliding, 8) is None


@pytest.mark.parametrize("shape", [(1, 1, 24), (1, 24), (24,), (1, 3, 24), (2, 1, 24), (3, 24), (5, 1, 24), (9, 24)])
def test_a_packed_layer_takes_inputs_of_any_shape(shape):
    torch.manual_seed(0)
    layer, inputs = nn.Linear(24, 10), torch.randn(shape)
    found = PackedLinear(layer.weight, layer.bias)(inputs)
    torch.testing.assert_close(found, layer(inputs))


def test_a_packed_model_gives_the_same_logits(model):
    twin = packed_model(model)
    assert not any(type(module) in (nn.Linear, Conv1D) for module in twin.modules())
    assert any(isinstance(module, PackedLinear) for module in twin.modules())
    ids = torch.randint(3, 500, (3, 20))
    with torch.inference_mode():
        assert (twin(ids).logits - model(ids).logits).abs().max() < 1e-4


def test_a_packed_model_shares_its_parameters_and_leaves_the_model_alone(model):
    kinds = [type(module) for module in model.modules()]
    twin = packed_model(model)
    assert [type(module) for module in model.modules()] == kinds
    places = {tensor.data_ptr() for tensor in model.parameters()}
    assert {tensor.data_ptr() for tensor in twin.parameters()} <= places
    assert packed_model(model) is twin


def test_other_precisions_are_left_as_they_are(model):
    model = model.to(torch.bfloat16)
    assert packed_model(model) is model


def test_a_model_that_would_fill_the_memory_is_left_as_it_is(model, monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=7 * model.num_parameters()))
    assert packed_model(model) is model


@pytest.mark.parametrize("kind", ["fused", "foreach", "neither"])
def test_a_model_that_was_trained_on_is_packed_again(model, kind):
    """A fused step, the Trainer's default, does not raise PyTorch's version counter."""
    ids = torch.randint(3, 500, (2, 12))
    before = packed_model(model)(ids).logits
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, **{} if kind == "neither" else {kind: True})
    model(ids, labels=ids).loss.backward()
    optimizer.step()
    after = packed_model(model)(ids).logits
    assert (after - before).abs().max() > 0.1
    assert (after - model(ids).logits).abs().max() < 1e-3


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("shape", [(1,), (3, 5), (4, 6)])
def test_any_changed_weight_changes_the_sum_of_bits(shape, offset):
    tensor = torch.randn(offset + math.prod(shape))[offset:].view(shape)
    before = sum_of_bits(tensor)
    assert sum_of_bits(tensor.clone()) == before
    for index in range(tensor.numel()):
        changed = tensor.clone()
        changed.view(-1)[index] = torch.nextafter(changed.view(-1)[index], torch.tensor(torch.inf))
        assert sum_of_bits(changed) != before


def test_a_packed_model_goes_with_its_model(model):
    copied = copy.deepcopy(model)
    twin = weakref.ref(packed_model(copied))
    del copied
    gc.collect()
    assert twin() is None
