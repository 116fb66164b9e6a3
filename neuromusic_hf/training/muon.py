"""Muon: orthogonal updates of the matrices of a model, and AdamW for all else."""

from typing import Any

import torch
from torch import nn
from transformers import TrainingArguments


def muon_and_arguments(
    args: TrainingArguments, model: nn.Module
) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """
    The optimizer of a run and its arguments, for a Trainer.

    Muon (Jordan et al. 2024) takes the matrices of layers, AdamW embeddings, head, norms and biases. Updates have the
    size of AdamW's (Liu et al. 2025, arXiv:2502.16982, section 2.2), so that both share `learning_rate` and
    `weight_decay`.

    Args:
        args ([`~transformers.TrainingArguments`]): of the run.
        model (`torch.nn.Module`): whose weights are trained.

    Raises:
        `ImportError`: pytorch-optimizer is not installed.
    """
    try:
        from pytorch_optimizer import Muon
    except ImportError as error:
        raise ImportError(
            "optim=muon needs a package that is not installed: pip install pytorch-optimizer."
        ) from error

    class MuonOfRun(Muon):
        def load_state_dict(self, state_dict: dict[str, Any]):
            """As that of Muon, which knows its coefficients as tuples: whole states of FSDP come back with lists."""
            super().load_state_dict(state_dict)
            for group in self.param_groups:
                if group["use_muon"]:
                    group["ns_coeffs"] = list(map(tuple, group["ns_coeffs"]))

    matrices, tables, vectors = parted_weights(model)
    adamw = {"use_muon": False, "betas": (args.adam_beta1, args.adam_beta2), "eps": args.adam_epsilon}
    groups = [
        {"params": matrices, "use_muon": True, "use_adjusted_lr": True, "weight_decay": args.weight_decay},
        {"params": tables, **adamw, "weight_decay": args.weight_decay},
        {"params": vectors, **adamw, "weight_decay": 0.0},
    ]
    groups = [group | {"lr": args.learning_rate} for group in groups if group["params"]]
    return MuonOfRun, {"params": groups}


def parted_weights(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """The weights of a model that are trained: matrices of layers; embeddings, head and the like; norms and biases."""
    looked_up = [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]
    head = getattr(model, "get_output_embeddings", lambda: None)()
    kept = {id(weight) for weight in [*looked_up, *([] if head is None else [head.weight])]}
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    matrices = [weight for weight in trained if weight.ndim == 2 and id(weight) not in kept]
    tables = [weight for weight in trained if weight.ndim > 2 or id(weight) in kept]
    return matrices, tables, [weight for weight in trained if weight.ndim < 2]
