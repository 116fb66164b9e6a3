"""Twins among the rows of corpora."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset

from ..twins import Twin


def twins_of(parts: Sequence[Dataset], cache_dir: str | Path | None = None, num_proc: int | None = None) -> list[Twin]:
    """
    Finds the twins among the rows of corpora. Provisional: those of the same notes.

    Args:
        parts (sequence of [`~datasets.Dataset`]): rows, whose indices count through all of them.
        cache_dir (`str` or `Path`, *optional*): where what is found is kept.
        num_proc (`int`, *optional*): processes.
    """
    hashes = [content_hash for part in parts for content_hash in part["content_hash"]]
    first: dict[str, int] = {}
    pairs = [(first.setdefault(each, index), index) for index, each in enumerate(hashes) if each is not None]
    return [Twin(one, other, 0, 1.0, 0) for one, other in pairs if one != other]
