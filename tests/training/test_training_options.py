"""What speeds a run up or saves memory changes nothing else: every model, through the Trainer of a run."""

import functools

import pytest
import torch
from accelerate.utils import is_compiled_module
from models.conftest import FAMILIES
from tiny import ONE_LAYER
from transformers.modeling_layers import GradientCheckpointingLayer

from neuromusic_hf import build_model

SGD = {"optim": "sgd", "learning_rate": 1.0}
"""Whose steps are the gradients themselves."""
NO_DROPOUT = {"gpt2": {"resid_pdrop": 0.0, "embd_pdrop": 0.0}}
"""Whose draws depend on the size of a batch."""


@pytest.fixture(scope="module", params=FAMILIES)
def run(request, trainer_in, processor, tmp_path_factory):
    """
    Trains the same model on the same blocks with some options, a short block among them: losses, and weights.

    And how often a layer was computed.
    """

    @functools.cache
    def train(**options):
        torch.manual_seed(0)
        without = NO_DROPOUT.get(request.param, {})
        model = build_model(request.param, processor, context_length=64, **ONE_LAYER, **without)
        [layer] = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
        calls: list[int] = []
        next(layer.children()).register_forward_pre_hook(lambda *_: calls.append(1))
        kept = {"save_strategy": "no", "max_steps": 3, "per_device_train_batch_size": 32, **options}
        trainer = trainer_in(tmp_path_factory.mktemp("run"), model=model, **kept)
        trainer.train()
        assert is_compiled_module(trainer.model_wrapped) == ("torch_compile_backend" in options)
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        return (torch.tensor(losses), [weight.detach() for weight in model.parameters()]), len(calls)

    return train


def assert_same(found, expected, tolerance=2e-5):
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def test_activation_checkpointing_takes_the_same_steps_and_computes_layers_twice(run):
    (plain, calls), (found, again) = run(**SGD), run(activation_checkpointing=True, **SGD)
    assert_same(found, plain)
    assert again == 2 * calls


@pytest.mark.parametrize("run", ["music_transformer"], indirect=True)
def test_a_compiled_model_takes_the_same_steps(run):
    """Traced as a compiler has it, and run as it is; with layers that are computed again."""
    assert_same(run(torch_compile_backend="eager", activation_checkpointing=True, **SGD)[0], run(**SGD)[0])


def test_half_a_batch_twice_takes_the_steps_of_a_whole_one(run):
    """Every token counts as much, also where one half holds fewer: an epoch ends with a short batch and block."""
    halves = {"per_device_train_batch_size": 16, "gradient_accumulation_steps": 2}
    assert_same(run(**halves, **SGD)[0], run(**SGD)[0])


def test_fused_adamw_takes_the_steps_of_adamw(run):
    assert_same(run(optim="adamw_torch_fused")[0], run(optim="adamw_torch")[0])


def test_bfloat16_follows_float32(run):
    (half, weights), _ = run(bf16=True, **SGD)
    (whole, _), _ = run(**SGD)
    assert not torch.equal(half, whole)
    assert_same(half, whole, tolerance=0.02)
    assert {weight.dtype for weight in weights} == {torch.float32}
