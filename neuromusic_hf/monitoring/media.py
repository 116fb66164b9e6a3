"""What of a scored test run a tracker can show."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..reports import RunScores
from ..reports.page import DISTANCES_NAME

PREFIX = "eval/continuations/"
"""As the trackers of transformers write names that begin with `eval_`."""

EXAMPLES_PREFIX = "eval/examples/"
INFILLS_PREFIX = "eval/infills/"


@dataclass(frozen=True)
class Media:
    """
    Pictures, sounds, histograms and tables, by the names that trackers show them under.

    Args:
        pictures (`dict[str, Path]`, *optional*): PNG files.
        sounds (`dict[str, Path]`, *optional*): WAV files.
        histograms (`dict[str, np.ndarray]`, *optional*): values of shape `(pieces,)`, not empty.
        tables (`dict[str, pd.DataFrame]`, *optional*): of texts and numbers.
    """

    pictures: dict[str, Path] = field(default_factory=dict)
    sounds: dict[str, Path] = field(default_factory=dict)
    histograms: dict[str, np.ndarray] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    def __or__(self, other: Media) -> Media:
        """Both together."""
        return Media(**{kind: getattr(self, kind) | getattr(other, kind) for kind in vars(self)})

    @property
    def names(self) -> list[str]:
        """Of all that is in it."""
        return [name for kind in vars(self).values() for name in kind]


def distances_of(scores: RunScores, report: Path) -> Media:
    """
    The distances of all pieces of a test of continuations, drawn and as histograms.

    Args:
        scores ([`RunScores`]): from [`score_run`].
        report (`Path`): folder of its report.
    """
    histograms = {}
    for comparison in scores.comparisons:
        for part in ("original", "generated"):
            values = scores.table[f"{comparison.name}_{part}"].dropna().to_numpy(dtype=np.float64)
            if len(values):
                histograms[f"{PREFIX}{comparison.name}_distances_{part}"] = values
    return Media(pictures={f"{PREFIX}distances": report / DISTANCES_NAME}, histograms=histograms)
