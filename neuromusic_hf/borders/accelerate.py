"""What Accelerate lays around a model."""

import contextlib
import os
from collections.abc import Iterator

from accelerate import PartialState
from accelerate.utils import DistributedType
from transformers import PreTrainedModel


@contextlib.contextmanager
def without_autocast(model: PreTrainedModel) -> Iterator[None]:
    """Computes in the type of the weights in the `with` block, where Accelerate laid autocast around `forward` too."""
    wrapped, unwrapped = vars(model).get("forward"), vars(model).get("_original_forward")
    if unwrapped is None:
        yield
        return
    model.forward = unwrapped
    try:
        yield
    finally:
        model.forward = wrapped


@contextlib.contextmanager
def dividing_on_cpus(engine: str | None) -> Iterator[None]:
    """
    Has the Accelerator that is made in the `with` block turn an engine on among processes on CPUs, too.

    It does so for every other kind of device: FSDP not where the state, made before, says `MULTI_CPU`, and DeepSpeed
    not where the launcher's variable says so. The device is the state's all the same.

    Args:
        engine (`str`, *optional*): `FSDP` or `DeepSpeed`, if one is asked for.
    """
    state, said = PartialState(), None
    if state.distributed_type == DistributedType.MULTI_CPU and engine == "FSDP":
        state.distributed_type = DistributedType.MULTI_GPU  # which the Accelerator replaces by FSDP
    elif engine == "DeepSpeed":
        said = os.environ.pop("ACCELERATE_USE_CPU", None)
    try:
        yield
    finally:
        if said is not None:
            os.environ["ACCELERATE_USE_CPU"] = said
