"""Pictures of a run: histograms of its distances, and its scores beside their noise floors."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ..metrics import Comparison
from ..rendering.lettering import letter
from ..rendering.rolls import NEW_COLOR
from .sentences import below_floor

# Grey and the vermillion of the piano rolls: apart in lightness too, for colour-blind readers and in print.
ORIGINAL_COLOR = "#7A7A7A"
GENERATED_COLOR = NEW_COLOR
SCORE_COLOR = "#0072B2"
FLOOR_COLOR = "#DDDDDD"

MOST_BINS = 30
MOST_LABEL_CHARACTERS = 44
MOST_SIZES = 10
LONG_TAIL = 2
"""Times the 99th percentile, from where the largest distance would leave the others too little room."""

WIDTH_INCHES, DOTS_PER_INCH = 13, 130
HISTOGRAM_INCHES, HEADING_INCHES, ROW_INCHES = 3.9, 1.35, 0.42
PANELS_IN_A_ROW = 3


def plot_distances(table: pd.DataFrame, comparisons: Sequence[Comparison]) -> Figure:
    """
    Histograms of the distances from prompt to original and from prompt to generated, one panel for each comparison.

    Args:
        table ([`pandas.DataFrame`]): from [`make_piece_table`].
        comparisons (sequence of [`Comparison`]): whose distances it holds.

    Returns:
        `matplotlib.figure.Figure`, which belongs to no global state and needs no closing.
    """
    figure, panels = make_panels(len(comparisons), HISTOGRAM_INCHES)
    for axes, comparison in zip(panels, comparisons, strict=True):
        _draw_histograms(axes, table, comparison)
    for axes in leftmost(panels):
        axes.set_ylabel("Pieces")
    return figure


def plot_scores(runs: Mapping[str, Mapping[str, dict]], titles: Mapping[str, str]) -> Figure:
    """
    The scores of runs with their intervals, each over a band that ends at its noise floor, one panel for each score.

    A hollow dot is a score that is not above its floor: it shows no difference.

    Args:
        runs (`dict[str, dict[str, dict]]`):
            Label of each run, and the `scores` of its `scores.json`; a run may lack some.
        titles (`dict[str, str]`): names of the scores to draw, and what they are called.

    Returns:
        `matplotlib.figure.Figure`, which belongs to no global state and needs no closing.
    """
    figure, panels = make_panels(len(titles), HEADING_INCHES + ROW_INCHES * len(runs), sharey=True)
    for axes, (name, title) in zip(panels, titles.items(), strict=True):
        _draw_scores(axes, [scores.get(name) for scores in runs.values()])
        set_title(axes, title)
        axes.set_xlabel("KL(original || generated), nats")
    labels = [letter(label) for label in runs]
    families = list(dict.fromkeys(family for label in labels for family in label.families))
    names = [shortened(label.text) for label in labels]
    for axes in leftmost(panels):
        axes.set_yticks(range(len(runs)), names, fontfamily=families, parse_math=False)
    panels[0].set_ylim(len(runs) - 0.5, -0.5)
    figure.legend(handles=_score_legend(), loc="outside upper right", ncols=4, frameon=False, fontsize=9)
    return figure


def plot_leaks(sizes: Mapping[str, int], partial: Sequence[int], copies: Sequence[int]) -> Figure:
    """
    How large the families of a corpus are, and how many notes its twins on two sides share.

    Args:
        sizes (`dict[str, int]`): number of families by size, in order of size.
        partial (sequence of `int`): notes that pairs on two sides share.
        copies (sequence of `int`): the same of pairs that have the same notes, all of them.

    Returns:
        `matplotlib.figure.Figure`, which belongs to no global state and needs no closing.
    """
    figure, (families, notes) = make_panels(2, HISTOGRAM_INCHES)
    set_title(families, "Families", pad=24)
    shown = dict(list(sizes.items())[:MOST_SIZES])
    if len(sizes) > MOST_SIZES:
        shown[f"{list(sizes)[MOST_SIZES]}+"] = sum(list(sizes.values())[MOST_SIZES:])
    bars = families.bar(range(len(shown)), list(shown.values()), color=SCORE_COLOR, width=0.7)
    families.set_xticks(range(len(shown)), list(shown))
    families.bar_label(bars, fontsize=9, padding=2)
    families.set(xlabel="Pieces in a family", ylabel="Families", xlim=(-0.6, max(len(shown), 4) - 0.4))
    families.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    set_title(notes, "Twins on two sides", pad=24)
    notes.set(xlabel="Notes that they share", ylabel="Pairs")
    if not len(partial) + len(copies):
        notes.text(0.5, 0.5, "no pair lies on two sides", ha="center", transform=notes.transAxes, color="#666666")
        notes.set(xticks=[], yticks=[])
        return figure
    edges, cut = edges_of(np.array([*partial, *copies], np.float64))
    if cut:
        notes.set_xlabel(f"Notes that they share; the last bin holds all from {edges[-2]:.0f}")
    values = [np.clip(each, edges[0], edges[-1]) for each in (partial, copies)]
    labels = [f"share a part ({len(partial):,})", f"copies ({len(copies):,})"]
    notes.hist(values, edges, stacked=True, color=[SCORE_COLOR, GENERATED_COLOR], label=labels)
    notes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    notes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.1)
    return figure


def shortened(label: str) -> str:
    """The number of a run and the end of its label, which names model and tokenization."""
    if len(label) <= MOST_LABEL_CHARACTERS:
        return label
    number = re.match(r"(\d+\. )?", label)[0]
    return f"{number}…{label[len(number) + 1 - MOST_LABEL_CHARACTERS :]}"


def make_panels(number: int, height: float, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """Panels in rows, as even as they can be, each row `height` inches high."""
    rows = -(-number // PANELS_IN_A_ROW)
    size = (WIDTH_INCHES, height * rows)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, -(-number // rows), sharey=sharey, squeeze=False).ravel().tolist()
    for unused in grid[number:]:
        unused.remove()
    panels = grid[:number]
    for axes in panels:
        axes.tick_params(length=2.5, color="#888888")
        axes.spines[:].set_color("#BBBBBB")
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels


def leftmost(panels: list[Axes]) -> list[Axes]:
    """Those at the left of the rows of a figure."""
    return [axes for axes in panels if axes.get_subplotspec().is_first_col()]


def set_title(axes: Axes, title: str, **layout) -> None:
    """Writes a title above a panel, in its own script if a font of this machine has it."""
    lettering = letter(title)
    axes.set_title(lettering.text, loc="left", fontsize=11, fontfamily=lettering.families, parse_math=False, **layout)


def _draw_histograms(axes: Axes, table: pd.DataFrame, comparison: Comparison) -> None:
    values = table[[f"{comparison.name}_original", f"{comparison.name}_generated"]].dropna().to_numpy(dtype=np.float64)
    set_title(axes, comparison.title, pad=24)
    axes.set_xlabel(comparison.axis, parse_math=False)
    if not len(values):
        axes.text(0.5, 0.5, "no piece has distances", ha="center", transform=axes.transAxes, color="#666666")
        axes.set(xticks=[], yticks=[])
        return
    edges, cut = edges_of(values)
    if cut:
        axes.set_xlabel(f"{comparison.axis}; the last bin holds all from {edges[-2]:.3g}", parse_math=False)
    original, generated = np.clip(values, edges[0], edges[-1]).T
    means = values.mean(axis=0)
    labels = [f"{part}, mean {mean:.4g}" for part, mean in zip(("original", "generated"), means, strict=True)]
    axes.hist(original, edges, color=ORIGINAL_COLOR, alpha=0.5, label=labels[0])
    axes.hist(generated, edges, histtype="step", color=GENERATED_COLOR, linewidth=2, label=labels[1])
    for mean, color, style in zip(means, (ORIGINAL_COLOR, GENERATED_COLOR), (":", "--"), strict=True):
        axes.axvline(mean, color=color, linestyle=style, linewidth=1.5)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.margins(x=0.02)
    legend = axes.legend(
        frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.1
    )
    legend.set_in_layout(False)


def edges_of(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Edges of equal bins, and whether the last holds a long tail too."""
    low, high = values.min(), values.max()
    usual = np.quantile(values, 0.99)
    cut = low >= 0 and high > LONG_TAIL * usual > 0
    high = usual if cut else max(high, low + 1e-6)
    bins = int(np.clip(2 * len(values) ** 0.5, 6, MOST_BINS))
    return np.linspace(low, high, bins + 1), cut


def _draw_scores(axes: Axes, scores: Sequence[dict | None]) -> None:
    for row, score in enumerate(scores):
        if score is None or score["score"] is None:
            axes.text(0, row, " no score", va="center", fontsize=9, color="#666666")
            continue
        if score["noise_floor_95"] is not None:
            axes.barh(row, score["noise_floor_95"], height=0.62, color=FLOOR_COLOR, zorder=1)
            axes.vlines(score["noise_floor"], row - 0.31, row + 0.31, color="#AAAAAA", linewidth=1, zorder=2)
            axes.hlines(row, *score["interval"], color=SCORE_COLOR, linewidth=2, zorder=3)
        face = "white" if below_floor(score) else SCORE_COLOR
        axes.plot(score["score"], row, "o", color=SCORE_COLOR, markerfacecolor=face, markersize=8, zorder=4)
    axes.set_xlim(left=0, right=None if axes.has_data() else 1)
    axes.grid(axis="x", color="#EEEEEE", zorder=0)
    axes.set_axisbelow(True)


def _score_legend() -> list:
    dot = {"color": SCORE_COLOR, "marker": "o", "markersize": 8}
    return [
        Line2D([], [], linewidth=2, **dot, label="score, 95% interval"),
        Line2D([], [], linewidth=2, **dot, markerfacecolor="white", label="not above the floor"),
        Patch(color=FLOOR_COLOR, label="up to the noise floor (95%)"),
        Line2D([], [], color="#AAAAAA", linewidth=1, label="mean noise"),
    ]
