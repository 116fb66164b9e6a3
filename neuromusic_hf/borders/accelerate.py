"""What Accelerate lays around a model."""

import contextlib
import os
from collections.abc import Iterator
from unittest import mock

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
def dividing_on_cpus(fsdp: bool) -> Iterator[None]:
    """
    Has the Accelerator that is made in the `with` block turn FSDP or DeepSpeed on among processes on CPUs.

    It does so for every other kind of device: FSDP not where the state, made before, says `MULTI_CPU`, and DeepSpeed
    not where the launcher's variable says so. The device is the state's all the same.

    Args:
        fsdp (`bool`): FSDP is asked for.
    """
    state = PartialState()
    if state.distributed_type != DistributedType.MULTI_CPU:
        yield
        return
    state.distributed_type = DistributedType.MULTI_GPU if fsdp else state.distributed_type
    with mock.patch.dict(os.environ):
        os.environ.pop("ACCELERATE_USE_CPU", None)
        yield
