"""What a token of training costs, against PyTorch's own count of a model's products."""

import pytest
import torch
from tiny import TINY
from torch.utils.flop_counter import FlopCounterMode

from neuromusic_hf import build_model
from neuromusic_hf.models.flops import training_flops_per_token

LENGTH = 64
PRODUCTS = {"gpt2": 2, "llama": 2, "music_transformer": 3}


@pytest.mark.parametrize("family", PRODUCTS)
def test_it_is_a_forward_pass_three_times(family, processor_of):
    model = build_model(family, processor_of("REMI"), context_length=LENGTH, **TINY)
    model.set_attn_implementation("eager")
    with FlopCounterMode(display=False) as counter:
        model(input_ids=torch.zeros(1, LENGTH, dtype=torch.long))
    # Written out, attention multiplies all pairs of tokens, and half of them count.
    unseen = model.config.num_hidden_layers * PRODUCTS[family] * LENGTH * model.config.hidden_size
    products = counter.get_total_flops() / LENGTH - unseen
    assert training_flops_per_token(model, LENGTH) == 3 * products
    model.lm_head.weight.requires_grad_(False)
    assert training_flops_per_token(model, LENGTH) == 3 * products - 2 * model.lm_head.weight.numel()
