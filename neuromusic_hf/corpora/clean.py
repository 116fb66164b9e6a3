"""Which pieces have a twin in train: what a clean test leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset

from ..music.midi_feature import Midi
from .builder import printable
from .families import twins_of

TWIN_IN_TRAIN = "twin_in_train"
"""The reason for which a clean test leaves a piece out."""


def twins_in_train(pieces: Dataset, train: Dataset, *, num_proc: int | None = None) -> dict[int, str]:
    """
    Finds the pieces that have a twin in a training split.

    Args:
        pieces ([`~datasets.Dataset`]): rows with the column `midi`, such as a test split.
        train ([`~datasets.Dataset`]): likewise, the training split.
        num_proc (`int`, *optional*): processes that read them.

    Returns:
        `dict[int, str]`: by the row of each such piece, in order, what the twin that shares most with it is called.
    """
    twins = twins_of([train, pieces], num_proc=num_proc, groups=(0, 1))
    nearest = {twin.second - len(train): twin.first for twin in sorted(twins, key=lambda twin: twin.notes)}
    stored = train.cast_column("midi", Midi(decode=False))
    return {row: piece_name(stored[nearest[row]]) for row in sorted(nearest)}


def piece_name(row: Mapping[str, Any]) -> str:
    """What a row is called, fit for a line: its title, else the name of its file, else the start of its hash."""
    return printable(str(row.get("title") or Path(row["midi"]["path"] or row["content_hash"][:12]).stem))
