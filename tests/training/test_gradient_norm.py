"""The norm that is logged is that of the gradient of the whole step, before it is clipped."""

import copy

import pytest
import torch
from tiny import ONE_LAYER

from neuromusic_hf import build_model


@pytest.mark.parametrize("accumulation", [1, 2])
def test_it_is_that_of_all_blocks_of_the_step_before_clipping(make_trainer, processor, accumulation):
    torch.manual_seed(0)
    model = build_model("llama", processor, context_length=64, **ONE_LAYER)
    before = copy.deepcopy(model)
    trainer = make_trainer(
        model=model,
        max_steps=1,
        per_device_train_batch_size=4 // accumulation,
        gradient_accumulation_steps=accumulation,
        max_grad_norm=1e-3,
        save_strategy="no",
    )
    step, batches = trainer.training_step, []

    def recorded(model, inputs, *args, **kwargs):
        batches.append({name: inputs[name].clone() for name in ("input_ids", "labels")})
        return step(model, inputs, *args, **kwargs)

    trainer.training_step = recorded
    trainer.train()
    assert len(batches) == accumulation
    inputs, labels = (torch.cat([batch[name] for batch in batches]) for name in ("input_ids", "labels"))
    logits = before(input_ids=inputs).logits[:, :-1].flatten(0, 1)
    torch.nn.functional.cross_entropy(logits, labels[:, 1:].flatten(), ignore_index=-100).backward()
    expected = torch.stack([weight.grad.norm() for weight in before.parameters()]).norm().item()
    (logged,) = [entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry]
    assert logged == pytest.approx(expected, rel=1e-3) and logged > 100 * trainer.args.max_grad_norm
