"""What a token of training costs."""

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

OF_A_STEP = 3
"""Forward passes that a training step is worth: the backward pass takes twice as much as the forward one."""

FROZEN = 2
"""Likewise of a product with a weight that is not trained, whose own gradient is not computed."""


def training_flops_per_token(model: PreTrainedModel, length: int) -> int:
    """
    Floating point operations of matrix products that one token of a training step needs.

    Those are the products with the weights, and in each layer those with half of `length` keys, values and, in the
    Music Transformer, embeddings of distances, as a token sees what precedes it. What is computed again to save memory
    does not count ([Chowdhery et al. 2022](https://arxiv.org/abs/2204.02311), appendix B, which counts all keys).

    Args:
        model ([`~transformers.PreTrainedModel`]): of the causal language models that `build_model` gives, or another
            one; what is no linear layer and no attention of its config is not counted.
        length (`int`): tokens of a block.
    """
    products_of_weights = sum(
        2 * layer.weight.numel() * (OF_A_STEP if layer.weight.requires_grad else FROZEN)
        for layer in model.modules()
        if isinstance(layer, nn.Linear | Conv1D)
    )
    config = model.config
    layers, width = getattr(config, "num_hidden_layers", 0), getattr(config, "hidden_size", 0)
    products = 3 if config.model_type == "music_transformer" else 2
    return products_of_weights + OF_A_STEP * layers * products * length * width
