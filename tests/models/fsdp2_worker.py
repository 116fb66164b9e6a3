"""Run by torchrun: a step of every family, sharded over the processes, equals that of the whole model on all rows."""

import copy
import os

import torch
import torch.distributed as dist
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from transformers.modeling_layers import GradientCheckpointingLayer

from neuromusic_hf.models.music_transformer import MusicTransformerConfig, MusicTransformerForCausalLM

SIZES = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}


def build_models():
    yield GPT2LMHeadModel(GPT2Config(**SIZES, **NO_DROPOUT, initializer_range=0.2))
    yield LlamaForCausalLM(LlamaConfig(**SIZES, intermediate_size=48, initializer_range=0.2))
    config = MusicTransformerConfig(**SIZES, intermediate_size=48, hidden_dropout=0.0, initializer_range=0.2)
    yield MusicTransformerForCausalLM(config)


def shard(model: torch.nn.Module, **options) -> torch.nn.Module:
    sharded = copy.deepcopy(model)
    blocks = [module for module in sharded.modules() if type(module).__name__ in model._no_split_modules]
    assert len(blocks) == model.config.num_hidden_layers
    assert all(isinstance(block, GradientCheckpointingLayer) for block in blocks)
    for module in (*blocks, sharded):
        fully_shard(module, **options)
    assert all(isinstance(parameter, DTensor) for parameter in sharded.parameters())
    return sharded


def step(model: torch.nn.Module, ids: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Loss and gradients, as means over all processes."""
    model.zero_grad()
    loss = model(ids, labels=ids).loss
    loss.backward()
    loss = loss.detach().clone()
    dist.all_reduce(loss)
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    whole = {name: grad.full_tensor() if isinstance(grad, DTensor) else grad for name, grad in gradients.items()}
    return loss / dist.get_world_size(), whole


def check(model: torch.nn.Module, ids: torch.Tensor):
    expected = step(model, ids)
    mine = ids.chunk(dist.get_world_size())[dist.get_rank()]
    sharded = shard(model)
    torch.testing.assert_close(step(sharded, mine), expected, atol=1e-5, rtol=0)
    sharded.gradient_checkpointing_enable()
    torch.testing.assert_close(step(sharded, mine), expected, atol=1e-5, rtol=0)
    half = shard(model, mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32))
    loss, gradients = step(half, mine)
    assert abs(loss - expected[0]) < 0.05
    for name, gradient in gradients.items():
        reference = expected[1][name]
        assert (gradient - reference).norm() < 0.1 * reference.norm() + 1e-3, name


def main():
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    ids = torch.randint(3, SIZES["vocab_size"], (2 * dist.get_world_size(), 20))
    for model in build_models():
        check(model.train(), ids)
        if dist.get_rank() == 0:
            print(f"{type(model).__name__}: equal", flush=True)
    dist.barrier()
    dist.destroy_process_group()
    # Threads of gloo that outlive the group sometimes abort a process that ends in the usual way.
    os._exit(0)


if __name__ == "__main__":
    main()
