"""The picture of several training runs: their curves, and a table beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..rendering.lettering import letter, shorten_middle
from .pictures import DOTS_PER_INCH, WIDTH_INCHES, set_title

if TYPE_CHECKING:
    from .trainings import Training

# Of Okabe and Ito (https://jfly.uni-koeln.de/color/), apart for colour-blind readers; and marks, apart in print.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", ":", "-.")
CURVES_INCHES, TABLE_ROW_INCHES = 3.6, 0.27
PANELS_IN_A_ROW = 3
MOST_LETTERS = 44
KEYS_SHARE = 0.04
"""Of the width of the table, for the lines by which its runs are drawn."""


@dataclass(frozen=True)
class Style:
    """How the curve of a run is drawn."""

    color: str
    mark: str
    dash: str = DASHES[0]


def styles_of(trainings: Sequence[Training]) -> list[Style]:
    """
    A style for each run: that of its model, where no panel has two runs of one, else one of its own.

    Args:
        trainings (sequence of [`Training`]): runs; they share a panel where they share a tokenizer.
    """
    count = len(COLORS)
    if not _are_told_by_model(trainings):
        return [
            Style(COLORS[index % count], MARKS[index % count], DASHES[index // count % len(DASHES)])
            for index in range(len(trainings))
        ]
    models = sorted({training.model for training in trainings})
    indices = [models.index(training.model) % count for training in trainings]
    return [Style(COLORS[index], MARKS[index]) for index in indices]


def _are_told_by_model(trainings: Sequence[Training]) -> bool:
    return len({(training.model, training.tokenizer) for training in trainings}) == len(trainings)


def plot_board(trainings: Sequence[Training], heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Figure:
    """
    Draws nats per note on validation over optimizer steps, a panel for each tokenizer.

    Each run has a line, as [`styles_of`] says, which stands in its row of the table too. A hollow mark is the best
    evaluation of a run.

    Args:
        trainings (sequence of [`Training`]): runs.
        heads (sequence of `str`): of the table.
        rows (sequence of sequences of `str`): of the table, one for each run.

    Returns:
        `matplotlib.figure.Figure`, which belongs to no global state and needs no closing.
    """
    tokenizers = sorted({training.tokenizer for training in trainings})
    styles = styles_of(trainings)
    lines = -(-len(tokenizers) // PANELS_IN_A_ROW)
    heights = [*[CURVES_INCHES] * lines, TABLE_ROW_INCHES * (len(rows) + 1)]
    figure = Figure(figsize=(WIDTH_INCHES, sum(heights)), dpi=DOTS_PER_INCH, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    columns = min(len(tokenizers), PANELS_IN_A_ROW)
    grid = figure.add_gridspec(lines + 1, columns, height_ratios=heights)
    first: Axes | None = None
    for index, tokenizer in enumerate(tokenizers):
        axes = figure.add_subplot(grid[index // columns, index % columns], sharex=first, sharey=first)
        first = first or axes
        own = [pair for pair in zip(trainings, styles, strict=True) if pair[0].tokenizer == tokenizer]
        _draw_curves(axes, own)
        set_title(axes, tokenizer)
        if index % columns == 0:
            axes.set_ylabel("Nats per note, validation")
    _draw_table(figure.add_subplot(grid[-1, :]), heads, rows, styles)
    named = {training.model: style for training, style in zip(trainings, styles, strict=True)}
    handles = [
        Line2D([], [], color=named[model].color, marker=named[model].mark, label=model)
        for model in (sorted(named) if _are_told_by_model(trainings) else [])
    ]
    best = Line2D([], [], color="#666666", marker="o", markerfacecolor="white", linewidth=0, label="best of a run")
    figure.legend(handles=[*handles, best], loc="outside upper right", ncols=len(handles) + 1, frameon=False)
    return figure


def _draw_curves(axes: Axes, trainings: Sequence[tuple[Training, Style]]):
    for training, style in trainings:
        steps = [each.step for each in training.evaluations]
        values = [each.value for each in training.evaluations]
        axes.plot(steps, values, style.dash, color=style.color, marker=style.mark, markersize=4, linewidth=1.6)
        best = training.best
        axes.plot(best.step, best.value, style.mark, color=style.color, markerfacecolor="white", markersize=8)
    axes.set_xlabel("Optimizer steps")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(color="#EEEEEE")
    axes.set_axisbelow(True)
    axes.tick_params(length=2.5, color="#888888")
    axes.spines[:].set_color("#BBBBBB")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_table(axes: Axes, heads: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[Style]):
    axes.set_axis_off()
    shown = [[shorten_middle(letter(cell).text, MOST_LETTERS).replace("$", r"\$") for cell in row] for row in rows]
    widths = [max(map(len, column)) + 2 for column in zip(heads, *shown, strict=True)]
    table = axes.table(
        cellText=shown,
        colLabels=list(heads),
        colWidths=[width / sum(widths) for width in widths],
        cellLoc="right",
        bbox=(KEYS_SHARE, 0, 1 - KEYS_SHARE, 1),
    )
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    for (row, column), cell in table.get_celld().items():
        cell.set_edgecolor("#DDDDDD")
        cell.visible_edges = "B"
        if column < 3:
            cell.set_text_props(ha="left")
        if row == 0:
            cell.set_text_props(weight="bold")
    for number, style in enumerate(styles, 1):
        height = 1 - (number + 0.5) / (len(rows) + 1)
        key = Line2D([0, KEYS_SHARE / 2, KEYS_SHARE], [height] * 3, color=style.color, linestyle=style.dash)
        key.set(marker=style.mark, markevery=(1, 2), markersize=4, linewidth=1.6, transform=axes.transAxes)
        axes.add_line(key)
