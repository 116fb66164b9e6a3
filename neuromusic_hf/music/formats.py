"""The formats of `datasets` (`with_format("torch")` and the like) for rows that hold scores."""

from __future__ import annotations

from typing import Any

from datasets import formatting
from datasets.formatting.formatting import TensorFormatter

from .scores import AnyScore


class _ScoresAsTheyAre(TensorFormatter):
    """Before a formatter: what is no number stays, as `datasets` has it for sound; it knows its own types only."""

    def _tensorize(self, value: Any) -> Any:
        return value if isinstance(value, AnyScore) else super()._tensorize(value)


def keep_scores() -> None:
    """Teaches the formats of tensors, of those libraries that are installed, to hand out scores."""
    for name, formatter in list(formatting._FORMAT_TYPES.items()):
        if issubclass(formatter, TensorFormatter) and not issubclass(formatter, _ScoresAsTheyAre):
            formatting._FORMAT_TYPES[name] = type(formatter.__name__, (_ScoresAsTheyAre, formatter), {})
