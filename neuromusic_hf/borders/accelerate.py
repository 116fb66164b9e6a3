"""What Accelerate lays around a model."""

import contextlib
from collections.abc import Iterator

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
