"""Pictures of judged infills: means with their intervals, and how values are spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ..metrics.infills import Measure
from ..rendering.lettering import letter
from .infill_scores import COPY, REAL, TITLES
from .pictures import (
    FLOOR_COLOR,
    GENERATED_COLOR,
    HEADING_INCHES,
    HISTOGRAM_INCHES,
    ORIGINAL_COLOR,
    ROW_INCHES,
    SCORE_COLOR,
    edges_of,
    leftmost,
    make_panels,
    set_title,
    shortened,
)

COPY_COLOR = SCORE_COLOR


def plot_means(record: dict[str, Any]) -> Figure:
    """
    The means of all measures with their intervals, a row for each who filled the spans, a panel for each measure.

    The band is what random halves of the real bars differ by from their mean (of the copies, by measures that are 1 of
    the real bars).

    Args:
        record (`dict`): of `infill_scores.json`.

    Returns:
        `matplotlib.figure.Figure`, which belongs to no global state and needs no closing.
    """
    kinds, found = record["kinds"], record["measures"]
    figure, panels = make_panels(len(found), HEADING_INCHES + ROW_INCHES * len(kinds), sharey=True)
    for axes, measure in zip(panels, found.values(), strict=True):
        _draw_means(axes, measure, list(kinds))
        set_title(axes, measure["title"])
        axes.set_xlabel(measure["unit"], parse_math=False)
    labels = [letter(title) for title in kinds.values()]
    families = list(dict.fromkeys(family for label in labels for family in label.families))
    for axes in leftmost(panels):
        names = [shortened(label.text) for label in labels]
        axes.set_yticks(range(len(kinds)), names, fontfamily=families, parse_math=False)
    panels[0].set_ylim(len(kinds) - 0.5, -0.5)
    figure.legend(handles=_legend(), loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    return figure


def _draw_means(axes: Axes, measure: dict[str, Any], kinds: Sequence[str]) -> None:
    known, floor = measure["kinds"].get(measure["noise_floor_of"]), measure["noise_floor"]
    if known is not None and floor is not None:
        axes.axvspan(known["mean"] - floor, known["mean"] + floor, color=FLOOR_COLOR, linewidth=0, zorder=0)
    for row, kind in enumerate(kinds):
        found = measure["kinds"][kind]
        if found["mean"] is None:
            axes.text(
                0.02, row, "none", va="center", fontsize=9, color="#666666", transform=axes.get_yaxis_transform()
            )
            continue
        color = _color(kind)
        if found["interval"] is not None:
            axes.hlines(row, *found["interval"], color=color, linewidth=2, zorder=3)
        axes.plot(found["mean"], row, "o", color=color, markersize=8, zorder=4)
    found = [each for each in measure["kinds"].values() if each["mean"] is not None]
    values = [value for each in found for value in (each["mean"], *(each["interval"] or ()))]
    margin = 0.06 * (max(values, default=1.0) - min(values, default=0.0)) or 0.5
    axes.set_xlim(min(values, default=0.0) - margin, max(values, default=1.0) + margin)  # whatever the band does
    axes.grid(axis="x", color="#EEEEEE")
    axes.set_axisbelow(True)


def _color(kind: str) -> str:
    return ORIGINAL_COLOR if kind == REAL else COPY_COLOR if kind in TITLES else GENERATED_COLOR


def _legend() -> list:
    dot = {"marker": "o", "markersize": 8, "linewidth": 2}
    return [
        Line2D([], [], color=ORIGINAL_COLOR, **dot, label="the real bars, 95% interval"),
        Line2D([], [], color=GENERATED_COLOR, **dot, label="models"),
        Line2D([], [], color=COPY_COLOR, **dot, label="without a model that infills"),
        Patch(color=FLOOR_COLOR, label="noise floor: round the real bars, or round copies where those are 1"),
    ]


def plot_values(table: pd.DataFrame, measures: Sequence[Measure], model: str) -> Figure:
    """
    How the values of spans are spread, of the real bars, of a model and of copies: a panel for each measure.

    Args:
        table ([`pandas.DataFrame`]): of [`InfillScores`].
        measures (sequence of [`Measure`]): that it holds.
        model (`str`): whose infills are shown.

    Returns:
        `matplotlib.figure.Figure`, which belongs to no global state and needs no closing.
    """
    figure, panels = make_panels(len(measures), HISTOGRAM_INCHES)
    for axes, measure in zip(panels, measures, strict=True):
        _draw_histograms(axes, table, measure, model)
    for axes in leftmost(panels):
        axes.set_ylabel("Spans")
    return figure


def _draw_histograms(axes: Axes, table: pd.DataFrame, measure: Measure, model: str) -> None:
    set_title(axes, measure.title, pad=38)
    axes.set_xlabel(measure.unit, parse_math=False)
    kinds = (model, COPY) if measure.real is not None else (REAL, model, COPY)
    values = {kind: table.loc[table["kind"] == kind, measure.name].dropna().to_numpy(np.float64) for kind in kinds}
    pooled = np.concatenate(list(values.values()))
    if not len(pooled):
        axes.text(0.5, 0.5, "no span has values", ha="center", transform=axes.transAxes, color="#666666")
        axes.set(xticks=[], yticks=[])
        return
    edges, cut = edges_of(pooled)
    if cut:
        axes.set_xlabel(f"{measure.unit}; the last bin holds all from {edges[-2]:.3g}", parse_math=False)
    for kind, each in values.items():
        style = {"alpha": 0.5} if kind == REAL else {"histtype": "step", "linewidth": 2}
        label = f"{shortened(letter(TITLES.get(kind, kind)).text)}"
        axes.hist(np.clip(each, edges[0], edges[-1]), edges, color=_color(kind), label=label, **style)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.margins(x=0.02)
    legend = axes.legend(
        frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.1
    )
    legend.set_in_layout(False)
