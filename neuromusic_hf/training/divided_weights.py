"""Weights that are divided among processes, whole again on one of them."""

import contextlib
from collections.abc import Iterator

import torch
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel, Trainer
from transformers.integrations.deepspeed import set_hf_deepspeed_config, unset_hf_deepspeed_config


def holds_parts(trainer: Trainer) -> bool:
    """Whether each process of a Trainer holds but a part of the weights between its steps (FSDP, ZeRO-3)."""
    return trainer.is_fsdp_enabled or zero_stage(trainer) == 3


def zero_stage(trainer: Trainer) -> int:
    """What DeepSpeed divides: 1 states of the optimizer, 2 gradients too, 3 weights too; 0 without DeepSpeed."""
    return int(trainer.accelerator.state.deepspeed_plugin.zero_stage) if trainer.is_deepspeed_enabled else 0


def part_of_this_process(weight: torch.Tensor) -> torch.Tensor:
    """What of a weight this process holds: all of it where it is not divided."""
    return weight.to_local() if isinstance(weight, DTensor) else getattr(weight, "ds_tensor", weight)


def plain_model(trainer: Trainer) -> PreTrainedModel:
    """The model of a Trainer without what shares it among processes or compiles it, which stands around it."""
    return trainer.accelerator.unwrap_model(trainer.model, keep_torch_compile=False)


def class_of(model: PreTrainedModel) -> type[PreTrainedModel]:
    """The class of a model before FSDP made one of its own from it."""
    return next(kind for kind in type(model).__mro__ if not issubclass(kind, FSDPModule))


def whole_weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    """
    All weights of the model of a Trainer that FSDP or DeepSpeed trains. All processes call this.

    Where they are divided they are gathered one by one into the host memory of the main process: 4 bytes a parameter,
    or 2 where DeepSpeed trains in half precision.

    Returns:
        `dict`: by name, tied ones as one tensor; on other processes than the main one some, or none.
    """
    divided = holds_parts(trainer)
    model = plain_model(trainer)
    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped) if divided else model.state_dict()
    weights = dict(weights or {})  # DeepSpeed gives other processes nothing
    for name, source in model.all_tied_weights_keys.items():
        if source in weights:
            weights[name] = weights[source]
    return weights


def whole_model(trainer: Trainer) -> PreTrainedModel | None:
    """
    A copy of a divided model, on the device of the main process. All processes call this.

    Returns:
        [`~transformers.PreTrainedModel`] of the same class in evaluation mode, or `None` on other processes.
    """
    weights = whole_weights(trainer)
    if not trainer.is_world_process_zero():
        return None
    model = plain_model(trainer)
    with outside_zero3(trainer):
        whole = class_of(model).from_pretrained(None, config=model.config, state_dict=weights)
    whole.generation_config = model.generation_config
    return whole.to(trainer.args.device).eval()


def save_whole_model(trainer: Trainer, folder: str):
    """Saves a model that FSDP or DeepSpeed trains as one that nothing divides. All processes call this."""
    weights = whole_weights(trainer)
    if not trainer.args.should_save:
        return
    model = plain_model(trainer)
    with torch.device("meta"), outside_zero3(trainer):
        shell = class_of(model)(model.config)
    shell.generation_config = model.generation_config
    shell.save_pretrained(folder, state_dict=weights)


@contextlib.contextmanager
def outside_zero3(trainer: Trainer) -> Iterator[None]:
    """In the `with` block, transformers divides no model that it makes, and generates without the other processes."""
    unset_hf_deepspeed_config()
    try:
        yield
    finally:
        if trainer.is_deepspeed_enabled:
            set_hf_deepspeed_config(trainer.accelerator.state.deepspeed_plugin.hf_ds_config)
