"""The cache in place and the packed weights change speed, and nothing else."""

import copy
import pickle
import signal
from threading import Event, Thread
from types import SimpleNamespace

import pytest
import torch
from tiny import ALL_DIFFERENT
from torch import nn
from torch.nn.utils import parametrize, prune
from transformers import DynamicCache, MistralConfig, MistralForCausalLM
from transformers.cache_utils import DynamicLayer
from transformers.pytorch_utils import Conv1D

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.generation import engine
from neuromusic_hf.generation.engine import (
    PackedLayer,
    PreallocatedLayer,
    call_packed,
    can_be_packed,
    layers_to_pack,
    preallocated_cache,
)

IDS = torch.arange(3, 63).view(3, 20)


@pytest.fixture(params=("gpt2", "llama", "music_transformer"))
def model(request):
    torch.manual_seed(0)
    processor = MidiProcessor.from_tokenization("REMI")
    return build_model(request.param, processor, context_length=64, initializer_range=0.3, **ALL_DIFFERENT).eval()


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
    sliding = MistralForCausalLM(
        MistralConfig(**ALL_DIFFERENT, vocab_size=10, num_key_value_heads=2, sliding_window=4)
    )
    assert type(DynamicCache(config=sliding.config).layers[0]) is not DynamicLayer
    assert preallocated_cache(sliding, 8) is None


def packed_layers(model) -> list[nn.Module]:
    """The layers that are multiplied from a packed weight just now."""
    return [layer for layer in model.modules() if layer in engine._of_thread.packed and "forward" in vars(layer)]


def traces(model) -> list[str]:
    """Layers that something is left on."""
    return [name for name, layer in model.named_modules() if "forward" in vars(layer)]


@torch.no_grad()
def logits(model, ids=IDS):
    return model(ids).logits


@pytest.mark.parametrize("shape", [(1, 1, 24), (1, 24), (24,), (1, 3, 24), (2, 1, 24), (0, 24), (5, 1, 24), (9, 24)])
@pytest.mark.parametrize("layer", [nn.Linear(24, 10), nn.Linear(24, 10, bias=False), Conv1D(10, 24)])
def test_a_packed_layer_takes_inputs_of_any_shape(layer, shape):
    torch.manual_seed(0)
    inputs = torch.randn(shape)
    with torch.no_grad():
        expected = layer(inputs)
        found = call_packed(layer, lambda: layer(inputs))
    torch.testing.assert_close(found, expected)


def test_all_products_are_packed_for_as_long_as_the_call_takes(model, monkeypatch):
    expected, product, served = logits(model), PackedLayer.__call__, []

    def spy(self, inputs):
        served.append(self.layer)
        return product(self, inputs)

    monkeypatch.setattr(PackedLayer, "__call__", spy)
    found, packed = call_packed(model, lambda: (logits(model), packed_layers(model)))
    assert packed == [layer for layer in model.modules() if type(layer) in (nn.Linear, Conv1D)]
    assert set(served) == set(packed) and len(served) == len(packed)
    assert (found - expected).abs().max() < 1e-4
    assert not traces(model) and not engine._calls and not engine._of_thread.packed
    assert torch.equal(logits(model), expected)


class OwnLinear(nn.Linear):
    """A layer of a user's."""


class OwnWeight(torch.Tensor):
    """A weight whose bits nobody may read, as that of quantized layers."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (torch.Tensor.view, torch.Tensor.data_ptr, torch.Tensor.t):
            raise RuntimeError("Cannot set version_counter for inference tensor")
        return super().__torch_function__(func, types, args, kwargs or {})


def with_hook(register):
    def change(layer):
        getattr(layer, register)(lambda *_: None)

    return change


def new_weight(layer, weight):
    layer.weight = nn.Parameter(weight)


LEFT_ALONE = {
    "a forward hook": with_hook("register_forward_hook"),
    "a hook before": with_hook("register_forward_pre_hook"),
    "a backward hook": with_hook("register_full_backward_hook"),
    "a forward of its own": lambda layer: setattr(layer, "forward", layer.forward),
    "a class of its own": lambda layer: setattr(layer, "__class__", OwnLinear),
    "a parametrization": lambda layer: parametrize.register_parametrization(layer, "weight", nn.Identity()),
    "pruning": lambda layer: prune.l1_unstructured(layer, "weight", amount=0.5),
    "half precision": lambda layer: layer.to(torch.bfloat16),
    "no data at hand": lambda layer: layer.to("meta"),
    "another kind of weight": lambda layer: new_weight(layer, layer.weight.data.as_subclass(OwnWeight)),
    "a weight laid out otherwise": lambda layer: new_weight(layer, layer.weight.data.t().contiguous().t()),
    "nothing in it": lambda layer: new_weight(layer, layer.weight.data[:0]),
    "compiled code": lambda layer: layer.compile(backend="eager"),
    "a compiled forward": lambda layer: setattr(layer, "forward", torch.compile(layer.forward, backend="eager")),
}  # fmt: skip


@pytest.mark.parametrize("what", LEFT_ALONE)
def test_a_layer_is_left_alone_that_has(what):
    layer = nn.Linear(24, 10)
    assert can_be_packed(layer)
    LEFT_ALONE[what](layer)
    assert layers_to_pack(nn.Sequential(layer)) == []


def test_a_changed_class_is_left_alone(monkeypatch):
    monkeypatch.setattr(nn.Linear, "forward", lambda self, inputs: inputs)
    assert not can_be_packed(nn.Linear(24, 10))


@pytest.mark.parametrize("around", [torch.compile, lambda model: nn.Sequential(model)], ids=["compiled", "plain"])
def test_a_compiled_model_is_left_alone(around):
    model = around(nn.Sequential(nn.Linear(24, 10)))
    assert len(layers_to_pack(model)) == (type(model) is nn.Sequential)


def test_so_is_a_model_that_would_fill_the_memory(model, monkeypatch):
    size = sum(layer.weight.nbytes for layer in layers_to_pack(model))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2 * size))
    assert layers_to_pack(model)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2 * size - 1))
    assert not layers_to_pack(model)


def test_so_is_a_precision_that_the_user_chose():
    torch.set_float32_matmul_precision("medium")
    try:
        assert not layers_to_pack(nn.Linear(24, 10))
    finally:
        torch.set_float32_matmul_precision("highest")


def another_weight(layer):
    new_weight(layer, torch.randn_like(layer.weight))


def a_changed_weight(layer):
    with torch.no_grad():
        layer.weight.mul_(2)


def another_bias(layer):
    layer.bias = nn.Parameter(torch.randn_like(layer.bias))


def an_own_forward(layer):
    layer.forward = lambda inputs: inputs[..., :10] * 3


@pytest.mark.parametrize("change", [another_weight, a_changed_weight, another_bias, an_own_forward])
def test_what_changes_during_the_call_counts(change):
    layer, inputs = nn.Linear(24, 10), torch.randn(3, 24)
    with torch.no_grad():
        found = call_packed(layer, lambda: (change(layer), layer(inputs))[1])
        assert torch.equal(found, layer(inputs))
    assert ("forward" in vars(layer)) == (change is an_own_forward)


def test_gradients_and_autocast_are_as_ever_during_the_call():
    layer, inputs = nn.Linear(24, 10), torch.randn(3, 24)

    def train():
        layer(inputs).sum().backward()
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            return layer(inputs)

    assert call_packed(layer, train).dtype == torch.bfloat16
    assert layer.weight.grad is not None


def test_a_copy_made_during_the_call_is_of_its_own():
    layer, inputs = nn.Linear(24, 10), torch.randn(3, 24)
    copies = call_packed(layer, lambda: (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))))
    for copied in copies:
        a_changed_weight(copied)
        assert torch.equal(copied(inputs), nn.functional.linear(inputs, copied.weight, copied.bias))
    call_packed(copies[0], lambda: None)
    assert not traces(copies[0])


def test_calls_in_a_call(model):
    expected = logits(model)

    def inner():
        before = packed_layers(model)
        inside = call_packed(model, logits, model=model)
        assert packed_layers(model) == before != []
        return inside, logits(model)

    for found in call_packed(model, inner):
        assert (found - expected).abs().max() < 1e-4
    assert not traces(model)


def test_each_thread_plays_the_model_as_it_was_when_its_call_began():
    layer, inputs = nn.Linear(24, 10), torch.randn(3, 24)
    first_began, first_may_end, results = Event(), Event(), {}

    def first():
        first_began.set()
        first_may_end.wait(60)
        results["first"] = layer in engine._of_thread.packed

    thread = Thread(target=call_packed, args=(layer, first))
    thread.start()
    first_began.wait(60)
    assert layer.forward.__func__ is engine.forward
    assert not engine._of_thread.packed  # of this thread
    assert torch.equal(layer(inputs), nn.functional.linear(inputs, layer.weight, layer.bias))

    def second():
        assert layer in engine._of_thread.packed
        first_may_end.set()
        thread.join(60)
        return layer in engine._of_thread.packed and "forward" in vars(layer)

    assert call_packed(layer, second) and results["first"]
    assert not traces(layer) and not engine._calls


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_breaks_the_call_off_leaves_nothing(model, error, monkeypatch):
    def fail(**_):
        raise error

    with pytest.raises(error):
        call_packed(model, fail)
    assert not traces(model) and not engine._calls and not engine._of_thread.packed
    layers = iter(layers_to_pack(model))

    def pack(layer):
        return fail() if layer is last else PackedLayer(layer)

    *_, last = layers
    monkeypatch.setattr(engine, "PackedLayer", pack)
    with pytest.raises(error):
        call_packed(model, logits, model=model)
    assert not traces(model) and not engine._calls and not engine._of_thread.packed


@torch.no_grad()  # that of logits, broken off as it ends, leaves gradients off
def test_interrupts_at_any_moment_leave_the_model_as_it_was(model):
    """Real ones, from a timer; nothing is left but what gives the layers' own products and goes with the next call."""

    running = []

    def interrupt(*_):
        if running:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    broken = 0
    try:
        for moment in range(60):
            try:
                try:
                    running.append(moment)
                    signal.setitimer(signal.ITIMER_REAL, 5e-5 * (1 + moment))
                    call_packed(model, logits, model=model)
                finally:
                    running.clear()
            except KeyboardInterrupt:
                broken += 1
            assert not engine._of_thread.packed
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert broken
    for parameter in model.parameters():
        parameter.data.mul_(0.5)  # which no version counter tells
    changed = copy.deepcopy(model)
    assert torch.equal(logits(model), logits(changed))
    call_packed(model, logits, model=model)
    assert not traces(model)
