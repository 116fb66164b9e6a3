"""What makes decoding fast: a cache that is written in place, weights laid out for few rows, single queries."""

import copy
from weakref import WeakKeyDictionary

import psutil
import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache, PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.pytorch_utils import Conv1D

PACKED_FOR_ROWS = 16
"""Rows that weights are packed for; other numbers of rows are nearly as fast."""
FEWEST_ROWS = 4
"""Fewer rows are filled up to so many: oneDNN's kernels take up to a third longer for one row than for four."""
SINGLE_QUERY_ATTENTION = "neuromusic_single_query"
"""Name of [`single_query_attention`] among transformers' attention functions."""


class PreallocatedLayer(DynamicLayer):
    """
    Keys and values of a layer, in memory that is reserved ahead: new ones are written behind the others, and what is
    read is a view. transformers' dynamic cache copies them all at every step, and its static cache reads all it
    reserved.

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


class PackedLinear(nn.Module):
    """
    A linear layer with a copy of its weight as oneDNN's kernels read it. On a CPU a decoding step is bound by reading
    weights, and from this copy they are read up to twice as fast.

    Args:
        weight (`torch.nn.Parameter` of shape `(out_features, in_features)`): float32.
        bias (`torch.nn.Parameter` of shape `(out_features,)`, *optional*).
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None):
        super().__init__()
        self.weight, self.bias = weight, bias
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), PACKED_FOR_ROWS)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Inputs of shape `(..., in_features)` to outputs of shape `(..., out_features)`."""
        num_rows = inputs.numel() // inputs.shape[-1]
        if num_rows >= FEWEST_ROWS:
            return self._product(inputs)
        if num_rows == 1 and inputs.dim() > 1:
            return self._product(inputs.expand(FEWEST_ROWS, *inputs.shape[1:]))[:1]
        rows = nn.functional.pad(inputs.reshape(num_rows, -1), (0, 0, 0, FEWEST_ROWS - num_rows))
        return self._product(rows)[:num_rows].view(*inputs.shape[:-1], -1)

    def _product(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(inputs, self.packed, self.bias, "none", [], "")


def single_query_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs,
) -> tuple[torch.Tensor, None]:
    """
    SDPA, and for single queries its products written out, which a CPU does twice as fast. An attention function of
    transformers.

    Args:
        query (`torch.Tensor` of shape `(batch, heads, queries, head_dim)`).
        key, value (`torch.Tensor` of shape `(batch, key heads, keys, head_dim)`).
        attention_mask (`torch.BoolTensor` of shape `(batch, 1, queries, keys)`, *optional*): `True`: attend.
        scaling (`float`, *optional*): multiplies scores; `head_dim ** -0.5` by default.

    Returns:
        Output of shape `(batch, queries, heads, head_dim)`, and no weights.
    """
    if query.shape[2] > 1 or any(kwargs.get(name) is not None for name in ("position_bias", "s_aux", "softcap")):
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    batch, heads, _, head_dim = query.shape
    query = query * (head_dim**-0.5 if scaling is None else scaling)
    # Queries that share a key head are the columns of one product. In this order it is a quarter faster.
    scores = (key @ query.view(batch, key.shape[1], -1, head_dim).transpose(2, 3)).transpose(2, 3)
    if attention_mask is not None:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    return (scores.softmax(dim=-1) @ value).view(batch, 1, heads, head_dim), None


AttentionInterface.register(SINGLE_QUERY_ATTENTION, single_query_attention)
AttentionMaskInterface.register(SINGLE_QUERY_ATTENTION, sdpa_mask)


_packed_models = WeakKeyDictionary()


def packed_model(model: PreTrainedModel) -> PreTrainedModel:
    """
    The same model with packed linear layers and attention of single queries: a twin on the same parameters, made again
    when they have changed, or `model` itself where packing does not help (any device but a CPU, any precision but
    float32) or a copy of the weights would take more than half of the memory that is free.
    """
    if model.device.type != "cpu" or model.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return model
    state = [(tensor.data_ptr(), tensor._version, sum_of_bits(tensor)) for tensor in model.parameters()]
    known_state, twin = _packed_models.get(model, (None, None))
    if known_state != state:
        _packed_models.pop(model, None)
        if 2 * model.num_parameters() * model.dtype.itemsize > psutil.virtual_memory().available:
            return model
        twin = _pack(model)
        _packed_models[model] = state, twin
    return twin


def sum_of_bits(tensor: torch.Tensor) -> int:
    """
    Tells whether a float32 tensor has changed, at the speed of reading it: PyTorch's version counter does not count
    the steps of fused optimizers.
    """
    words = tensor.detach().flatten().view(torch.int32)
    words = words.clone() if words.storage_offset() % 2 else words  # pairs must be aligned
    pairs = words[: len(words) // 2 * 2].view(torch.int64)
    return int(pairs.sum()) + int(words[2 * len(pairs) :].sum())


def _pack(model: PreTrainedModel) -> PreTrainedModel:
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    twin = copy.deepcopy(model, memo=shared)
    for name, module in list(twin.named_modules()):
        if type(module) is nn.Linear:
            twin.set_submodule(name, PackedLinear(module.weight, module.bias))
        elif type(module) is Conv1D:
            twin.set_submodule(name, PackedLinear(module.weight.t(), module.bias))
    if model._supports_attention_backend and model.config._attn_implementation == "sdpa":
        twin.set_attn_implementation(SINGLE_QUERY_ATTENTION)
    return twin
