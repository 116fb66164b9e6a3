"""
Smaller feed-forward layers for a trained model: the neurons that matter least go, the others take over their part.

A neuron of a gated feed-forward layer is a row of `gate_proj` and of `up_proj`, and a column of `down_proj`. Which of
them matter, and what the columns that stay must be, follows from what the neurons give on a sample of music: of all
ways to remove one column and to change the others, that which changes the layer's output least, in the mean square,
has a closed form (Hassibi & Stork, "Second order derivatives for network pruning: Optimal Brain Surgeon", NIPS 1993).
Whole columns, one after the other, as in ZipLM (Kurtić, Frantar & Alistarh 2023, arXiv:2302.04089) and SlimGPT (Ling
et al. 2024, arXiv:2412.18110); and layer after layer, so that each is fitted to what the narrowed ones before it give.
"""

import logging
from typing import Any

import torch
from datasets import Dataset, DatasetDict
from torch import nn
from transformers import PreTrainedModel

from ..tokenization import MidiProcessor, make_blocks, tokenize_corpus

logger = logging.getLogger(__name__)

PARTS = ("gate_proj", "up_proj", "down_proj")
"""Of a gated feed-forward layer, as Llama and its relatives call them."""

DAMPING = 1e-6
"""Of the neurons' mean square: added to the square of each, so that neurons that always agree can be told apart."""


def calibration_blocks(
    pieces: Dataset, processor: MidiProcessor, block_size: int, num_blocks: int, seed: int = 0, **tokenising: Any
) -> torch.LongTensor:
    """
    A sample of whole blocks of a split.

    Args:
        pieces ([`~datasets.Dataset`]): a split of [`load_corpus`].
        processor ([`MidiProcessor`]): of the model.
        block_size (`int`): tokens of a block.
        num_blocks (`int`): how many, as far as there are so many.
        seed (`int`, *optional*, defaults to 0): draws them.
        tokenising: of [`tokenize_corpus`], as `num_proc`.

    Returns:
        `torch.LongTensor` of shape `(blocks, block_size)`.

    Raises:
        `ValueError`: the split does not fill a block.
    """
    tokens = tokenize_corpus(DatasetDict({"train": pieces}), processor, **tokenising)["train"]
    blocks = make_blocks(tokens, block_size, seed=seed)
    whole = [ids for ids in blocks[:num_blocks]["input_ids"] if len(ids) == block_size]
    if not whole:
        raise ValueError(f"{len(pieces)} pieces do not fill a block of {block_size} tokens: take more pieces.")
    return torch.stack([torch.as_tensor(ids, dtype=torch.long) for ids in whole])


@torch.no_grad()
def narrow_feed_forward(
    model: PreTrainedModel, intermediate_size: int, blocks: torch.LongTensor, batch_size: int = 8
) -> dict[str, Any]:
    """
    Removes neurons of every feed-forward layer of a model, in place.

    Args:
        model ([`~transformers.PreTrainedModel`]):
            Llama, or another with `gate_proj`, `up_proj` and `down_proj`, in evaluation mode.
        intermediate_size (`int`): neurons that each layer keeps.
        blocks (`torch.LongTensor` of shape `(blocks, tokens)`): a sample of what the model reads.
        batch_size (`int`, *optional*, defaults to 8): blocks that it reads at once.

    Returns:
        `dict`: what was done: neurons before and after (`from`, `to`), tokens of the sample (`tokens`), and nats a
            token of it before and after (`loss_before`, `loss_after`).

    Raises:
        `ValueError`: the model has other feed-forward layers, or no more neurons than that.
    """
    layers = _gated_layers(model)
    width = model.config.intermediate_size
    if not 0 < intermediate_size <= width:
        raise ValueError(f"intermediate_size={intermediate_size} must be 1 to {width}, which the model has.")
    loss = mean_loss(model, blocks, batch_size)
    for number, layer in enumerate(layers if intermediate_size < width else [], 1):
        moments = _second_moments(model, layer.down_proj, blocks.split(batch_size))
        kept, columns = keep_columns(layer.down_proj.weight.double(), moments, intermediate_size)
        _shrink(layer, kept, columns)
        logger.info("Feed-forward layer %d of %d has %d neurons.", number, len(layers), intermediate_size)
    model.config.intermediate_size = intermediate_size
    after = mean_loss(model, blocks, batch_size)
    return {"from": width, "to": intermediate_size, "tokens": blocks.numel(), "loss_before": loss, "loss_after": after}


def keep_columns(weight: torch.Tensor, moments: torch.Tensor, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Chooses columns of a linear map, and refits them, so that its output changes little.

    Args:
        weight (`torch.Tensor` of shape `(outputs, inputs)`): of the map.
        moments (`torch.Tensor` of shape `(inputs, inputs)`): of its inputs x, the sum of x xᵀ over a sample.
        number (`int`): of the columns to keep.

    Returns:
        Which are kept, in order (`torch.LongTensor` of shape `(number,)`), and what they are now (`torch.Tensor` of
        shape `(outputs, number)`).
    """
    damping = DAMPING * moments.diagonal().mean().clamp(min=1e-12)
    moments = moments + damping * torch.eye(len(moments), dtype=moments.dtype, device=moments.device)
    inverse, columns = torch.linalg.inv(moments), weight.clone()
    removed = torch.zeros(len(moments), dtype=torch.bool, device=moments.device)
    for _ in range(len(moments) - number):
        cost = columns.square().sum(0) / inverse.diagonal()
        one = int(cost.masked_fill(removed, torch.inf).argmin())
        step = inverse[one] / inverse[one, one]
        columns -= torch.outer(columns[:, one], step)
        inverse -= torch.outer(inverse[:, one], step)
        removed[one] = True
        inverse[one, one] = 1  # of a neuron that is gone: it divides nothing
    kept = (~removed).nonzero().squeeze(1)
    solved = torch.linalg.solve(moments[kept][:, kept], moments[kept] @ weight.T)
    return kept, solved.T


def _gated_layers(model: PreTrainedModel) -> list[nn.Module]:
    found = [each for each in model.modules() if all(type(getattr(each, part, None)) is nn.Linear for part in PARTS)]
    width = getattr(model.config, "intermediate_size", None)
    if len(found) != model.config.num_hidden_layers or {each.down_proj.in_features for each in found} != {width}:
        raise ValueError(
            f"{type(model).__name__} has no feed-forward part of {', '.join(PARTS)} in each of its layers, as Llama "
            "has: others are not narrowed."
        )
    return found


def _second_moments(model: PreTrainedModel, module: nn.Linear, batches: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """The sum of x xᵀ over the inputs x that a module gets while the model reads."""
    width = module.in_features
    moments = torch.zeros(width, width, dtype=torch.float64, device=module.weight.device)

    def add(_, inputs: tuple[torch.Tensor]):
        neurons = inputs[0].reshape(-1, width).float()
        moments.add_((neurons.T @ neurons).double())

    hook = module.register_forward_pre_hook(add)
    try:
        for batch in batches:
            model(input_ids=batch.to(model.device), use_cache=False)
    finally:
        hook.remove()
    return moments


def _shrink(layer: nn.Module, kept: torch.Tensor, columns: torch.Tensor):
    for part in PARTS[:2]:
        linear = getattr(layer, part)
        for name, parameter in [*linear.named_parameters()]:
            setattr(linear, name, nn.Parameter(parameter[kept].clone(), parameter.requires_grad))
        linear.out_features = len(kept)
    down = layer.down_proj
    down.weight = nn.Parameter(columns.to(down.weight.dtype).contiguous(), down.weight.requires_grad)
    down.in_features = len(kept)
    if hasattr(layer, "intermediate_size"):
        layer.intermediate_size = len(kept)


@torch.no_grad()
def mean_loss(model: PreTrainedModel, blocks: torch.LongTensor, batch_size: int = 8) -> float:
    """Nats a token of blocks, an array of shape `(blocks, tokens)`."""
    total = 0.0
    for batch in blocks.to(model.device).split(batch_size):
        total += float(model(input_ids=batch, labels=batch, use_cache=False).loss) * len(batch)
    return total / len(blocks)
