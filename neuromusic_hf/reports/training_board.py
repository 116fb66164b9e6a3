"""The picture of several training runs: their curves, and a table beneath."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..rendering.lettering import letter, shorten
from .pictures import DOTS_PER_INCH, WIDTH_INCHES, set_title

if TYPE_CHECKING:
    from .trainings import Training

# Of Okabe and Ito (https://jfly.uni-koeln.de/color/), apart for colour-blind readers; and marks, apart in print.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
CURVES_INCHES, TABLE_ROW_INCHES, HEAD_INCHES = 3.6, 0.27, 0.9
PANELS_IN_A_ROW = 3
MOST_LETTERS = 36


def plot_board(trainings: Sequence[Training], heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Figure:
    """
    Draws nats per note on validation over optimizer steps, a panel for each tokenizer and a colour for each model.

    Where several runs have one model and one tokenizer, each has a line of that colour, and a dash of its own. A
    hollow mark is the best evaluation of a run.

    Args:
        trainings (sequence of [`Training`]): runs.
        heads (sequence of `str`): of the table.
        rows (sequence of sequences of `str`): of the table, one for each run.

    Returns:
        `matplotlib.figure.Figure`, which belongs to no global state and needs no closing.
    """
    tokenizers = list(dict.fromkeys(sorted(training.tokenizer for training in trainings)))
    models = list(dict.fromkeys(sorted(training.model for training in trainings)))
    lines = -(-len(tokenizers) // PANELS_IN_A_ROW)
    heights = [*[CURVES_INCHES] * lines, HEAD_INCHES + TABLE_ROW_INCHES * (len(rows) + 1)]
    figure = Figure(figsize=(WIDTH_INCHES, sum(heights)), dpi=DOTS_PER_INCH, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    columns = min(len(tokenizers), PANELS_IN_A_ROW)
    grid = figure.add_gridspec(lines + 1, columns, height_ratios=heights)
    first: Axes | None = None
    for index, tokenizer in enumerate(tokenizers):
        axes = figure.add_subplot(grid[index // columns, index % columns], sharex=first, sharey=first)
        first = first or axes
        own = [training for training in trainings if training.tokenizer == tokenizer]
        _draw_curves(axes, own, models)
        set_title(axes, tokenizer)
        if index % columns == 0:
            axes.set_ylabel("Nats per note, validation")
    _draw_table(figure.add_subplot(grid[-1, :]), heads, rows)
    handles = [
        Line2D([], [], color=_of(COLORS, number), marker=_of(MARKS, number), label=model)
        for number, model in enumerate(models)
    ]
    best = Line2D([], [], color="#666666", marker="o", markerfacecolor="white", linewidth=0, label="best of a run")
    figure.legend(handles=[*handles, best], loc="outside upper right", ncols=len(handles) + 1, frameon=False)
    return figure


def _draw_curves(axes: Axes, trainings: Sequence[Training], models: Sequence[str]):
    seen: dict[str, int] = {}
    for training in trainings:
        number, before = models.index(training.model), seen.get(training.model, 0)
        seen[training.model] = before + 1
        steps = [each.step for each in training.evaluations]
        values = [each.value for each in training.evaluations]
        color, mark = _of(COLORS, number), _of(MARKS, number)
        dashes = ("-", "--", ":", "-.")[before % 4]
        axes.plot(steps, values, dashes, color=color, marker=mark, markersize=4, linewidth=1.6)
        axes.plot(training.best.step, training.best.value, mark, color=color, markerfacecolor="white", markersize=8)
    axes.set_xlabel("Optimizer steps")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(color="#EEEEEE")
    axes.set_axisbelow(True)
    axes.tick_params(length=2.5, color="#888888")
    axes.spines[:].set_color("#BBBBBB")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_table(axes: Axes, heads: Sequence[str], rows: Sequence[Sequence[str]]):
    axes.set_axis_off()
    shown = [[shorten(letter(cell).text, MOST_LETTERS).replace("$", r"\$") for cell in row] for row in rows]
    widths = [max(map(len, column)) + 2 for column in zip(heads, *shown, strict=True)]
    table = axes.table(
        cellText=shown,
        colLabels=list(heads),
        colWidths=[width / sum(widths) for width in widths],
        cellLoc="right",
        loc="upper center",
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
    table.scale(1, 1.3)


def _of(choices: Sequence[str], number: int) -> str:
    return choices[number % len(choices)]
