"""Pictures hold every piece and every score."""

import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Polygon

from neuromusic_hf.metrics import COMPARISONS
from neuromusic_hf.reports.pictures import plot_distances, plot_scores

NAMES = [comparison.name for comparison in COMPARISONS]
TITLES = {comparison.score_name: comparison.title for comparison in COMPARISONS}


def table_of(original, generated):
    columns = {f"{name}_original": original for name in NAMES} | {f"{name}_generated": generated for name in NAMES}
    return pd.DataFrame(columns, dtype="float64")


def score_of(score, floor=0.2):
    interval = [score - 0.1, score + 0.1]
    return {"score": score, "interval": interval, "noise_floor": floor / 2, "noise_floor_95": floor}


@pytest.mark.parametrize("outlier", [0.5, 40])
def test_histograms_hold_every_piece_an_outlier_too(outlier):
    random = np.random.default_rng(0)
    original, generated = random.gamma(2, 0.1, size=(2, 150))
    generated[7] = outlier
    figure = plot_distances(table_of(original, generated), COMPARISONS)
    for axes in figure.axes:
        assert sum(bar.get_height() for bar in axes.containers[0]) == 150
        (outline,) = (patch for patch in axes.patches if isinstance(patch, Polygon))
        assert outline.get_xy()[1::2, 1].sum() == 150
        assert ("the last bin holds all" in axes.get_xlabel()) == (outlier == 40)
        assert axes.get_xlim()[1] < 5


@pytest.mark.parametrize("values", [[], [0.0], [1.0] * 5, [None, None], [-0.3, 0.9, None]])
def test_few_equal_missing_and_negative_distances_are_drawn(values):
    plot_distances(table_of(values, values), COMPARISONS).canvas.draw()


def test_labels_of_any_script_are_plain_text():
    labels = ["Чайка $x^^2$ _a_", "\\alpha {\nnew line", "سلام"]
    scores = {f"{name}_kl": score_of(0.5) for name in NAMES}
    figure = plot_scores(dict.fromkeys(labels, scores), TITLES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == [label.replace("\n", " ") for label in labels]


def test_scores_stand_beside_their_floors_in_the_order_given():
    nothing = {"score": None, "interval": None, "noise_floor": None, "noise_floor_95": None}
    single = nothing | {"score": 0.3}
    rows = {"a": score_of(0.5), "12. " + "b" * 60: score_of(0.1), "c" * 60: nothing, "d": single}
    figure = plot_scores({label: {f"{name}_kl": score for name in NAMES} for label, score in rows.items()}, TITLES)
    figure.canvas.draw()
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == ["a", "12. …" + "b" * 39, "…" + "c" * 43, "d"]
    for axes in figure.axes:
        dots = [(line.get_xdata()[0], line.get_markerfacecolor()) for line in axes.lines]
        assert [x for x, _ in dots] == [0.5, 0.1, 0.3]
        assert [color == "white" for _, color in dots] == [False, True, False]
        assert [bar.get_width() for bar in axes.patches] == [0.2, 0.2]
