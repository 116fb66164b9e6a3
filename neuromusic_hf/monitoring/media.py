"""What of a scored test run a tracker can show."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..reports import RunScores
from ..reports.page import DISTANCES_NAME
from ..runs import FinishedRun

PREFIX = "eval/continuations/"
"""As the trackers of transformers write names that begin with `eval_`."""


@dataclass(frozen=True)
class Media:
    """
    Pictures, sounds and histograms, by the names that trackers show them under.

    Args:
        pictures (`dict[str, Path]`): PNG files.
        sounds (`dict[str, Path]`): WAV files.
        histograms (`dict[str, np.ndarray]`): values of shape `(pieces,)`, not empty.
    """

    pictures: dict[str, Path]
    sounds: dict[str, Path]
    histograms: dict[str, np.ndarray]


def collect_media(run: FinishedRun, scores: RunScores, report: Path, shown: int) -> Media:
    """
    The distances of all pieces, and piano roll and sound of the first ones.

    Args:
        run ([`FinishedRun`]): a test run.
        scores ([`RunScores`]): from [`score_run`].
        report (`Path`): folder of its report.
        shown (`int`): pieces to show, of the lowest indices.
    """
    pictures, sounds = {f"{PREFIX}distances": report / DISTANCES_NAME}, {}
    for record in run.records:
        if record.index >= shown:
            continue
        for name, files in ((record.files.picture, pictures), (record.files.audio, sounds)):
            if (path := run.path(name)) is not None:
                files[f"{PREFIX}{path.stem}"] = path
    histograms = {}
    for comparison in scores.comparisons:
        for part in ("original", "generated"):
            values = scores.table[f"{comparison.name}_{part}"].dropna().to_numpy(dtype=np.float64)
            if len(values):
                histograms[f"{PREFIX}{comparison.name}_distances_{part}"] = values
    return Media(pictures, sounds, histograms)
