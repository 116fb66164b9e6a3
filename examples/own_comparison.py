"""
A comparison of your own: how dense continuations are, beside their prompts.

    python examples/own_comparison.py runs/quickstart/test

It scores a run of scripts/continue_midi.py by it and by the comparisons of the package, and prints the scores.
"""

import sys

import numpy as np
from symusic.core import ScoreTick

from neuromusic_hf.metrics import Comparison
from neuromusic_hf.music import RefusedFile
from neuromusic_hf.reports import ScoringOptions, score_run
from neuromusic_hf.runs import read_run


def notes_a_quarter(score: ScoreTick) -> float:
    """Notes a quarter note, from the first onset to the last."""
    times = np.concatenate([np.zeros(0), *(track.notes.numpy()["time"] for track in score.tracks)])
    if len(np.unique(times)) < 2:
        raise RefusedFile("no_density", "notes begin at fewer than two moments")
    return len(times) * score.ticks_per_quarter / (times.max() - times.min())


def octaves_of_density(prompt: float, other: float) -> float:
    """1 where one is twice as dense as the other, 2 where it is four times as dense."""
    return abs(np.log2(other / prompt))


DENSITY = Comparison(
    name="density",
    title="Density",
    unit="doublings",
    feature=notes_a_quarter,
    distance=octaves_of_density,
    decimals=2,
)


def main():
    scores = score_run(read_run(sys.argv[1]), ScoringOptions(comparisons=["own_comparison.DENSITY"], num_proc=1))
    for name, score in scores.record["scores"].items():
        print(f"{name}: {score['score']:.3f} over {score['num_pieces']} pieces")


if __name__ == "__main__":
    main()
