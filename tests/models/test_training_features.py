"""What training and deployment wrap around a model, on every family of models. Float32; tolerance 1e-4 absolute."""

import os
from pathlib import Path

import peft
import pytest
import torch
from preloaded import run_in_two_processes
from torch.nn import functional
from transformers import AutoModelForCausalLM, StaticCache
from transformers.modeling_layers import GradientCheckpointingLayer

from neuromusic_hf import build_model

WORKER = Path(__file__).with_name("fsdp2_worker.py")


@pytest.fixture
def batch(rows, pad):
    """Arguments of a training step; nothing is predicted from padding."""
    ids, mask, positions = pad(rows)
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": positions,
        "labels": torch.where(positions > 0, ids, -100),
    }


@pytest.fixture(autouse=True)
def no_compiled_code_of_other_tests():
    torch._dynamo.reset()


def loss_and_gradients(model, batch):
    model.zero_grad()
    torch.manual_seed(0)
    loss = model(**batch).loss
    loss.backward()
    gradients = {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.requires_grad
    }
    return loss.detach(), gradients


def train(model, batch, steps=8, autocast=False):
    optimizer = torch.optim.AdamW([parameter for parameter in model.parameters() if parameter.requires_grad], lr=1e-2)
    losses = []
    for _ in range(steps):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = model(**batch).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


@pytest.mark.parametrize("reentrant", [False, True])
def test_activation_checkpointing_changes_neither_loss_nor_gradients(model, batch, reentrant):
    """With dropout, whose random numbers are drawn again."""
    model.train()
    calls = []
    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            next(module.children()).register_forward_pre_hook(lambda *_: calls.append(1))
    expected = loss_and_gradients(model, batch)
    assert len(calls) == 2
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": reentrant})
    found = loss_and_gradients(model, batch)
    assert len(calls) == 6
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_compiled_without_graph_breaks_the_model_has_the_same_logits_and_gradients(family, tiny_model, batch):
    """At three lengths: compiled for the first alone, then for any."""
    model = tiny_model(family, initializer_range=0.3, num_hidden_layers=1)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    for first, compiles in ((0, True), (4, True), (2, False)):
        inputs = {name: tensor[:, first:].contiguous() for name, tensor in batch.items()}
        labels = inputs.pop("labels")[:, 1:]
        found = []
        for forward in (model, compiled):
            model.zero_grad()
            with torch._dynamo.config.patch(error_on_recompile=not compiles):
                logits = forward(**inputs).logits
            functional.cross_entropy(logits[:, :-1].transpose(1, 2), labels).backward()
            gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
            found.append((logits.detach()[inputs["attention_mask"].bool()], gradients))
        torch.testing.assert_close(*found, atol=1e-4, rtol=0)


@torch.no_grad()
def test_the_forward_pass_has_no_graph_breaks(model, rows):
    for options in ({"use_cache": False}, {"use_cache": True}):
        explanation = torch._dynamo.explain(model)(rows[0][None], **options)
        assert (explanation.graph_count, explanation.graph_break_count) == (1, 0), explanation.break_reasons


@torch.no_grad()
@pytest.mark.parametrize("size", [1, 2])
def test_decoding_into_a_static_cache_is_compiled_once_and_without_graph_breaks(model, rows, pad, size):
    ids, mask, positions = pad(rows)
    cache = StaticCache(model.config, max_cache_len=16)
    prompt = 9
    model(ids[:, :prompt], attention_mask=mask[:, :prompt], position_ids=positions[:, :prompt], past_key_values=cache)
    mask = functional.pad(mask, (0, 3), value=1)
    step = torch.compile(model, fullgraph=True, backend="eager")
    for start in range(prompt, 13, size):
        now = slice(start, start + size)
        inputs = {"attention_mask": mask, "position_ids": positions[:, now].clone(), "past_key_values": cache}
        with torch._dynamo.config.patch(error_on_recompile=start > prompt):
            logits = step(ids[:, now].clone(), **inputs).logits
    expected = [model(row[None]).logits[0, -1] for row in rows]
    torch.testing.assert_close(logits[:, -1], torch.stack(expected), atol=1e-4, rtol=0)


def test_training_under_bfloat16_autocast_follows_float32(model, batch):
    """The loss within 0.05 nats a token, gradients within 5% of their norm."""
    loss, gradients = loss_and_gradients(model, batch)
    with torch.autocast("cpu", torch.bfloat16):
        half_loss, half_gradients = loss_and_gradients(model, batch)
    assert abs(half_loss - loss) < 0.05
    flat, half_flat = (torch.cat([tensor.flatten() for tensor in g.values()]) for g in (gradients, half_gradients))
    assert half_flat.dtype == torch.float32 and half_flat.isfinite().all()
    assert not torch.equal(half_flat, flat)
    assert (half_flat - flat).norm() < 0.05 * flat.norm()
    losses = train(model.train(), batch, autocast=True)
    assert losses[-1] < 0.7 * losses[0]


def lora(model):
    torch.manual_seed(0)
    config = peft.LoraConfig(target_modules="all-linear", r=4, lora_alpha=32, task_type="CAUSAL_LM")
    return peft.get_peft_model(model, config)


def test_only_lora_adapters_train_and_they_are_saved_loaded_and_merged(family, tiny_model, batch, tmp_path):
    model = tiny_model(family, initializer_range=0.3)
    adapted = lora(model).train()
    before = {name: parameter.detach().clone() for name, parameter in adapted.named_parameters()}
    losses = train(adapted, batch)
    assert losses[-1] < 0.9 * losses[0]
    for name, parameter in adapted.named_parameters():
        assert parameter.requires_grad == ("lora_" in name)
        assert torch.equal(parameter, before[name]) != ("lora_" in name), name
    layers = [name for name in before if "lora_A" in name]
    assert len(layers) == {"gpt2": 2 * 4, "llama": 2 * 7, "music_transformer": 2 * 6}[family]

    adapted.eval().save_pretrained(tmp_path, safe_serialization=True)
    with torch.no_grad():
        untrained = tiny_model(family, initializer_range=0.3)
        plain, expected = untrained(**batch).logits, adapted(**batch).logits
        assert (expected - plain).abs().max() > 0.1
        loaded = peft.PeftModel.from_pretrained(untrained, tmp_path).eval()
        torch.testing.assert_close(loaded(**batch).logits, expected, atol=1e-5, rtol=0)
        merged = loaded.merge_and_unload()
        assert type(merged) is type(model)
        torch.testing.assert_close(merged(**batch).logits, expected, atol=1e-4, rtol=0)
        with adapted.disable_adapter():
            torch.testing.assert_close(adapted(**batch).logits, plain, atol=1e-5, rtol=0)


def test_lora_trains_with_activation_checkpointing(model, batch):
    adapted = lora(model).train()
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    expected = loss_and_gradients(adapted, batch)
    adapted.gradient_checkpointing_enable()
    adapted.enable_input_require_grads()
    torch.testing.assert_close(loss_and_gradients(adapted, batch), expected, atol=1e-6, rtol=0)


def test_weights_in_several_files_are_loaded_as_they_were(model, batch, remi, tmp_path):
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("model-*-of-*.safetensors"))) >= 3
    assert (tmp_path / "model.safetensors.index.json").is_file() and not (tmp_path / "model.safetensors").exists()
    weights = model.state_dict()
    for loaded in (AutoModelForCausalLM.from_pretrained(tmp_path), build_model(str(tmp_path), remi)):
        assert type(loaded) is type(model)
        assert loaded.state_dict().keys() == weights.keys()
        assert all(torch.equal(loaded.state_dict()[name], weight) for name, weight in weights.items())
        torch.testing.assert_close(loaded.eval()(**batch).logits, model(**batch).logits, atol=0, rtol=0)


def test_sharded_over_two_processes_every_family_takes_the_same_step(tmp_path):
    first, second = run_in_two_processes(WORKER, folder=tmp_path, variables={**os.environ})
    assert first.returncode == second.returncode == 0, first.stderr[-3000:] + second.stderr[-3000:]
    names = ("GPT2LMHeadModel", "LlamaForCausalLM", "MusicTransformerForCausalLM")
    assert first.stdout.split("\n")[:3] == [f"{name}: equal" for name in names]
