"""What makes decoding fast: a cache that is written in place, and weights laid out for few rows."""

import threading
from collections.abc import Callable
from types import MethodType

import psutil
import torch
from torch import nn
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer
from transformers.pytorch_utils import Conv1D

from ..borders.torch import has_hooks, is_compiled, own_parameter, pack_weight, packed_product, version_of

PACKED_FOR_ROWS = 16
"""Rows that weights are packed for; other numbers of rows are nearly as fast."""
FEWEST_ROWS = 2
"""Of a step; a single row is multiplied as fast by the weights as they are."""
FEWEST_NEW_TOKENS = 64
"""After so many steps packing has paid, which takes as long as 15 to 60 of them gain."""
KNOWN_FORWARDS = {nn.Linear: nn.Linear.forward, Conv1D: Conv1D.forward}
"""What packed products stand for."""


class PreallocatedLayer(DynamicLayer):
    """
    Keys and values of a layer, in memory that is reserved ahead.

    New ones are written behind the others, and what is read is a view. transformers' dynamic cache copies them all at
    every step, and its static cache reads all it reserved.

    Args:
        capacity (`int`): tokens to reserve memory for; doubled whenever it is not enough.
    """

    def __init__(self, capacity: int):
        super().__init__()
        self.capacity = capacity
        self.reserved = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Appends keys and values of shape `(batch, heads, tokens, head_dim)`, and returns all there are."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        start = self.keys.shape[2]
        stop = start + key_states.shape[2]
        if stop > self.capacity or not self._is_reserved(self.keys):
            self._reserve(stop)
        for memory, states in zip(self.reserved, (key_states, value_states), strict=True):
            memory[:, :, start:stop] = states
        self.keys, self.values = (memory[:, :, :stop] for memory in self.reserved)
        return self.keys, self.values

    def _is_reserved(self, keys: torch.Tensor) -> bool:
        """Not where they were replaced: those of other beams, or of fewer rows."""
        return (
            self.reserved is not None
            and keys.untyped_storage().data_ptr() == self.reserved[0].untyped_storage().data_ptr()
            and keys.shape[0] == self.reserved[0].shape[0]
        )

    def _reserve(self, tokens: int):
        while self.capacity < tokens:
            self.capacity *= 2
        self.reserved = []
        for states in (self.keys, self.values):
            batch, heads, seen, head_dim = states.shape
            memory = states.new_empty((batch, heads, self.capacity, head_dim))
            memory[:, :, :seen] = states
            self.reserved.append(memory)


def preallocated_cache(model: PreTrainedModel, capacity: int) -> Cache | None:
    """A cache with room for `capacity` tokens, or `None` for a model whose layers need caches of another kind."""
    layers = DynamicCache(config=model.config).layers
    if not layers or any(type(layer) is not DynamicLayer for layer in layers):
        return None
    return Cache(layers=[PreallocatedLayer(capacity) for _ in layers])


class PackedLayer:
    """
    The product of a linear layer, with a copy of its weight as oneDNN's kernels read it.

    A decoding step of several rows on a CPU is bound by reading weights, and from this copy they are read up to twice
    as fast.

    Args:
        layer (`torch.nn.Linear` or [`~transformers.pytorch_utils.Conv1D`]): one that [`can_be_packed`].
    """

    def __init__(self, layer: nn.Module):
        self.layer = layer
        self.weight, self.bias, self.version = layer.weight, layer.bias, version_of(layer.weight)
        weight = layer.weight.detach()
        by_output = weight.t() if type(layer) is Conv1D else weight
        self.packed = pack_weight(by_output, PACKED_FOR_ROWS)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Inputs of shape `(..., in_features)` to outputs of shape `(..., out_features)`."""
        return packed_product(inputs, self.packed, self.bias)

    def serves(self, inputs: torch.Tensor) -> bool:
        """Whether this is what the layer would give: nobody has changed it, and the product is a plain one."""
        return (
            self.layer.weight is self.weight
            and self.layer.bias is self.bias
            and version_of(self.weight) == self.version
            and type(inputs) is torch.Tensor
            and inputs.dtype == torch.float32
            and inputs.device.type == "cpu"
            and inputs.dim() > 1
            and inputs.numel() > 0
            and not torch.is_grad_enabled()
            and not torch.is_autocast_enabled("cpu")
        )


class _OfThread(threading.local):
    packed = {}


_of_thread = _OfThread()
"""`packed`: [`PackedLayer`] by layer, of the call that runs in this thread."""
_calls: list[dict[nn.Module, PackedLayer]] = []
"""The packed layers of the calls that run in any thread."""
_calls_lock = threading.Lock()


def call_packed(model: nn.Module, function: Callable, /, **arguments):
    """
    Calls a function that runs a model, and has the model's linear layers packed as long as it takes.

    What is packed is the model as it is now, for the calling thread alone. Layers that have hooks, another `forward`
    or weights of another kind than float32 on a CPU are left as they are; so are all layers of a compiled model, and
    where a copy of the weights would take more than half of the memory that is free.

    Args:
        model (`torch.nn.Module`): what runs.
        function (`Callable`): what to call.
        arguments: of the function.

    Returns:
        What the function returns.
    """
    packed, outer = {}, _of_thread.packed
    # No context manager: it would leave its layers packed where Ctrl-C comes just as it is left.
    try:
        packed |= {layer: PackedLayer(layer) for layer in layers_to_pack(model)}
        _put_on(packed)
        _of_thread.packed = packed
        return function(**arguments)
    finally:
        _of_thread.packed = outer
        _take_off(packed)


def layers_to_pack(model: nn.Module) -> list[nn.Module]:
    """The layers of a model that can be packed; none where that does not help or would not be safe."""
    plain_products = torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    if (
        not plain_products
        or torch.get_float32_matmul_precision() != "highest"
        or any(map(is_compiled, model.modules()))
    ):
        return []
    layers = [layer for layer in model.modules() if can_be_packed(layer)]
    bytes_of_copies = sum(layer.weight.nbytes for layer in layers)
    return layers if 2 * bytes_of_copies <= psutil.virtual_memory().available else []


def can_be_packed(layer: nn.Module) -> bool:
    """Whether a layer is a product with a float32 matrix on a CPU, and nothing else."""
    return (
        KNOWN_FORWARDS.get(type(layer)) is type(layer).forward
        and not has_hooks(layer)
        and ("forward" not in vars(layer) or getattr(layer.forward, "__func__", None) is forward)
        and _is_plain(own_parameter(layer, "weight"))
        and (layer.bias is None or _is_plain(own_parameter(layer, "bias")))
    )


def _is_plain(tensor: torch.Tensor | None) -> bool:
    return (
        type(tensor) is nn.Parameter  # no subclass, as quantized ones are
        and tensor.dtype == torch.float32
        and tensor.device.type == "cpu"
        and tensor.is_contiguous()
        and tensor.numel() > 0
        and not tensor.is_inference()
    )


def forward(layer: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """
    Stands on layers as `forward` while they are packed.

    Other threads, and copies of the layer, get the layer's own product. Its name is the one that a pickle of the layer
    looks for.
    """
    packed = _of_thread.packed.get(layer)
    if packed is not None and packed.serves(inputs):
        return packed(inputs)
    return type(layer).forward(layer, inputs)


def _put_on(packed: dict[nn.Module, PackedLayer]):
    with _calls_lock:
        _calls.append(packed)
        for layer in packed:
            layer.forward = MethodType(forward, layer)


def _take_off(packed: dict[nn.Module, PackedLayer]):
    with _calls_lock:
        _calls[:] = [call for call in _calls if call is not packed]
        for layer in packed:
            is_ours = getattr(vars(layer).get("forward"), "__func__", None) is forward
            if is_ours and not any(layer in call for call in _calls):
                del layer.forward
