"""The formats of `datasets` (`with_format("torch")` and the like) for rows that hold scores."""

from __future__ import annotations

from typing import Any

from datasets.formatting.formatting import TensorFormatter

from ..borders.datasets import change_tensor_formats
from .scores import AnyScore


class _ScoresAsTheyAre(TensorFormatter):
    """Before a formatter: what is no number stays, as `datasets` has it for sound; it knows its own types only."""

    def _tensorize(self, value: Any) -> Any:
        return value if isinstance(value, AnyScore) else super()._tensorize(value)


def keep_scores() -> None:
    """Teaches the formats of tensors, of those libraries that are installed, to hand out scores."""
    change_tensor_formats(_keeping_scores)


def _keeping_scores(formatter: type[TensorFormatter]) -> type[TensorFormatter]:
    if issubclass(formatter, _ScoresAsTheyAre):
        return formatter
    return type(formatter.__name__, (_ScoresAsTheyAre, formatter), {})
