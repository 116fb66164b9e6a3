"""A run that trains a LoRA adapter, from the plain model to the plain model."""

import logging
import os
import warnings

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, Trainer
from transformers.pytorch_utils import Conv1D

from ..default_bundle import DEFAULT, is_default
from ..hub import is_hub_id
from ..launch import asks_for
from ..models import saved_config
from ..models.adapters import Adapter
from ..models.fit import lacks_infill_tokens
from ..models.tied_targets import refuse_tied_targets
from ..options.arguments import ModelArguments, RunArguments
from ..tokenization import MidiProcessor

logger = logging.getLogger(__name__)


def check_lora(model_args: ModelArguments, args: RunArguments, processor: MidiProcessor):
    """
    Refuses an adapter that could not be trained, saved or pushed. Where none is asked for, nothing is looked at.

    Args:
        model_args ([`ModelArguments`]): of a model that [`check_model`] has let pass.
        args ([`RunArguments`]): of the run.
        processor ([`MidiProcessor`]): of the run.

    Raises:
        `ValueError`: saying what to do.
    """
    if model_args.lora_rank is None:
        return
    name, where = model_args.model, _where(model_args)
    if not model_args.is_saved_model:
        raise ValueError(f"lora_rank adapts weights, and {name!r} is new: name a bundle, as --model {DEFAULT}.")
    if asks_for("FSDP", args.fsdp) or asks_for("DeepSpeed", args.deepspeed):
        raise ValueError(
            "lora_rank trains few weights, which are not divided: leave FSDP and DeepSpeed out, as in "
            "accelerate_configs/multi_gpu.yaml."
        )
    config = saved_config(name, **where)
    if model_args.leaves_adapter:
        if lacks_infill_tokens(config.get_text_config().vocab_size, processor):
            raise ValueError(
                f"An adapter holds no ids of infilling, which {name!r} lacks: leave lora_merge=false or infill_share "
                "out."
            )
        if Adapter.find(name, model_args.revision):
            raise ValueError(
                f"{name!r} is an adapter, and an adapter of an adapter cannot be loaded: leave lora_merge=false out, "
                "or name its base."
            )
    if args.resume_from_checkpoint:
        Adapter.find(args.resume_from_checkpoint)  # refuses one of another version of its base
    _check_pushes(model_args, args)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=model_args.trust_remote_code)
        _adapted(model, model_args)


def _check_pushes(model_args: ModelArguments, args: RunArguments):
    """Adapters are pushed where others find their base; those of checkpoints are pushed as adapters."""
    if not args.push_to_hub or is_hub_id(model_args.model):
        return
    if model_args.leaves_adapter:
        raise ValueError(
            f"An adapter of {model_args.model!r}, which is not on the Hub, could be loaded by nobody who pulls it: "
            "push that model first (scripts/push_bundle.py) and name its id as --model; or leave lora_merge=false out."
        )
    if args.hub_strategy != "end":
        raise ValueError(
            f"Checkpoints of this run are adapters of {model_args.model!r}, which is not on the Hub, and are not "
            "pushed: give --hub_strategy end, which pushes the merged model."
        )


def add_lora(model: PreTrainedModel, model_args: ModelArguments) -> PreTrainedModel:
    """
    Puts the adapter on a model that a run is to train; without `lora_rank` the model is as it was.

    All other weights stay, but for the embeddings of a vocabulary that grew, which are trained whole.

    Args:
        model ([`~transformers.PreTrainedModel`]): from [`build_model`].
        model_args ([`ModelArguments`]): of the run.

    Returns:
        [`~peft.PeftModel`], or `model`. What is trained is told by its `lora_facts`, which `run.json` keeps.

    Raises:
        `ValueError`: the model has no such layers.
    """
    if model_args.lora_rank is None:
        return model
    grew = saved_config(model_args.model, **_where(model_args)).get_text_config().vocab_size
    grew = grew != model.config.get_text_config().vocab_size
    whole = model.num_parameters()
    adapted = _adapted(model, model_args)
    if grew:
        for embeddings in (model.get_input_embeddings(), model.get_output_embeddings()):
            embeddings.requires_grad_(True)
    trained = adapted.num_parameters(only_trainable=True)
    settings = adapted.peft_config["default"]
    model.lora_facts = {
        "rank": settings.r,
        "alpha": settings.lora_alpha,
        "dropout": settings.lora_dropout,
        "target_modules": sorted(model_args.lora_target_modules or [str(model_args.lora_targets)]),
        "trained_parameters": trained,
        "base_parameters": whole,
        "merged": not model_args.leaves_adapter,
    }
    logger.info("LoRA of rank %d trains %s of %s parameters.", settings.r, f"{trained:,}", f"{whole:,}")
    if grew:
        logger.info("The embeddings, which grew by the ids of infilling, are among them.")
    base = model_args.model
    if model_args.leaves_adapter and os.path.isdir(base) and not is_default(base):
        logger.info("The adapter needs its base, which lies in %s: share both.", base)
    return adapted


def merge_lora(trainer: Trainer):
    """Merges the adapter that a Trainer has trained into its base, where the run is to leave a whole model."""
    facts = getattr(trainer.model, "lora_facts", None)
    if facts and facts["merged"] and hasattr(trainer.model, "merge_and_unload"):
        trainer.model = trainer.model_wrapped = trainer.model.merge_and_unload().requires_grad_(True)


def _adapted(model: PreTrainedModel, model_args: ModelArguments) -> PreTrainedModel:
    from peft import LoraConfig, get_peft_model

    rank = model_args.lora_rank
    alpha = 2 * rank if model_args.lora_alpha is None else model_args.lora_alpha
    settings = LoraConfig(
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=int(alpha) if alpha == int(alpha) else alpha,
        lora_dropout=model_args.lora_dropout or 0.0,
        target_modules=model_args.lora_targets,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
        revision=getattr(model, "hub_commit", None),
    )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`")  # an old name that peft reads
            adapted = get_peft_model(model, settings)
        refuse_tied_targets(adapted)
        return adapted
    except ValueError as error:
        layers = sorted({name.rpartition(".")[2] for name, module in model.named_modules() if _is_linear(module)})
        raise ValueError(
            f"lora_target_modules={model_args.lora_targets}: {error}\nIts linear layers are called "
            f"{', '.join(layers) or 'nothing, as there are none'}."
        ) from error


def _is_linear(module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.Linear | Conv1D)


def _where(model_args: ModelArguments) -> dict:
    return {"revision": model_args.revision, "trust_remote_code": model_args.trust_remote_code}
