"""What PyTorch knows of modules, tensors and processes, and the products of oneDNN."""

from collections.abc import Callable

import torch
from torch import nn
from torch._dynamo.eval_frame import OptimizedModule
from torch.distributed import Store, distributed_c10d


def has_hooks(module: nn.Module) -> bool:
    """Whether anything is called before or after `forward` or `backward` of a module."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks)


def own_parameter(module: nn.Module, name: str) -> nn.Parameter | None:
    """A parameter of a module as it is registered; `None` where an attribute of that name is something else."""
    return module._parameters.get(name)


def is_compiled(module: nn.Module) -> bool:
    """Whether `torch.compile` was applied to a module, or to its `forward` alone."""
    own_forward: Callable | None = vars(module).get("forward")
    return (
        isinstance(module, OptimizedModule)
        or module._compiled_call_impl is not None
        or hasattr(own_forward, "_torchdynamo_orig_callable")
    )


def version_of(tensor: torch.Tensor) -> int:
    """A number that grows with each change in place, but for those of fused optimizers."""
    return tensor._version


def launch_store() -> Store:
    """Keys and values that the processes of a launch share, and by which they found each other."""
    return distributed_c10d._get_default_store()


def pack_weight(weight: torch.Tensor, rows: int) -> torch.Tensor:
    """A copy of a weight of shape `(out_features, in_features)` as oneDNN reads it, best for this number of rows."""
    return torch.ops.mkldnn._reorder_linear_weight(weight, rows)


def packed_product(inputs: torch.Tensor, packed: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Inputs of shape `(..., in_features)` times a packed weight, of shape `(..., out_features)`."""
    return torch.ops.mkldnn._linear_pointwise(inputs, packed, bias, "none", [], "")
