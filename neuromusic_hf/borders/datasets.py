"""What `datasets` knows of a dataset and keeps to itself."""

from collections.abc import Callable

from datasets import Dataset, formatting
from datasets.formatting.formatting import TensorFormatter


def fingerprint_of(rows: Dataset) -> str:
    """What `datasets` knows the content of these rows by, and names their caches after."""
    return rows._fingerprint


def set_fingerprint(rows: Dataset, value: str) -> None:
    """Has `datasets` know these rows by another name."""
    rows._fingerprint = value


def change_tensor_formats(change: Callable[[type[TensorFormatter]], type[TensorFormatter]]) -> None:
    """Puts another class in place of each that makes tensors of rows, of those libraries that are installed."""
    for name, formatter in list(formatting._FORMAT_TYPES.items()):
        if issubclass(formatter, TensorFormatter):
            formatting._FORMAT_TYPES[name] = change(formatter)
