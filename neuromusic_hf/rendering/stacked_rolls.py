"""Pictures of several ways in which a piece goes on, one under another, at the same times."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..music import AnyScore
from .lettering import letter
from .piano_roll import notes_in_seconds
from .rolls import (
    DASHES,
    DRUM_LABEL_INCHES,
    DRUM_ROW_INCHES,
    GIVEN_COLOR,
    LEFT_INCHES,
    LINE_COLOR,
    NEW_COLOR,
    RIGHT_INCHES,
    TITLE_GAP_INCHES,
    Layer,
    draw_bars,
    draw_hits,
    draw_rows,
    fit,
    label_drums,
)

WIDTH_INCHES, ROLL_INCHES, DOTS_PER_INCH = 12.0, 2.0, 100
TITLE_INCHES, HEAD_INCHES, TIME_INCHES = 0.45, 0.28, 0.5
LEAD_SECONDS = 6.0
"""Of the prompt, that are shown before it is gone on from."""

LEAST_SECONDS = 4.0
LATER = 1.25
"""Times the length of the first version: music after that is not shown."""


def plot_versions(prompt: AnyScore, versions: Mapping[str, AnyScore], *, title: str | None = None) -> Figure:
    """
    Draws how a prompt goes on in several versions, one under another, on one axis of time and with the same pitches.

    The end of the prompt is blue, and what follows vermillion, as in [`plot_piano_roll`]. The axis ends a little after
    the first version, which the others are compared with; what comes later is counted in the heading of its version,
    and not shown.

    Args:
        prompt (`symusic.Score`): what goes on.
        versions (`dict[str, symusic.Score]`):
            By what it is called, only the notes that follow, at their times in the whole piece; one may have none.
        title (`str`, *optional*): as of [`plot_piano_roll`].

    Returns:
        `matplotlib.figure.Figure`: 12 inches wide, at 100 dots per inch. It belongs to no global state and needs no
        closing.

    Raises:
        `ValueError`: there is no version, or no note at all.
        [`RefusedFile`]: A score has no ticks per quarter note, or a bar without length.
    """
    rows = {name: _layers(prompt, version) for name, version in versions.items()}
    layers = [layer for pair in rows.values() for layer in pair]
    if not any(len(layer.pitched) + len(layer.drums) for layer in layers):
        raise ValueError("There is no note to draw.")
    start, boundary, end = _times(list(rows.values()))
    every = [np.concatenate([layer.pitched for layer in layers]), np.concatenate([layer.drums for layer in layers])]
    pitched, drums = (each[each[:, 0] < end] for each in every)
    keys = np.unique(drums[:, 2])
    figure, panels = _layout(len(rows), len(keys))
    pitches = pitched[:, 2] if len(pitched) else np.array([60.0])
    for (roll, strip), (name, pair) in zip(panels, rows.items(), strict=True):
        draw_rows(roll, pitches.min(), pitches.max())
        if strip is not None:
            label_drums(strip, keys)
        for layer in pair:
            if len(layer.pitched):
                draw_bars(roll, layer.pitched, layer.color, outlined=True)
            if strip is not None and len(shown := layer.drums[layer.drums[:, 0] < end]):
                draw_hits(strip, Layer(layer.name, layer.color, layer.pitched, shown), keys)
        _finish(figure, roll, strip, f"{name}: {pair[1].words.partition('(')[2][:-1]}")
        for axes in filter(None, (roll, strip)):
            axes.set_xlim(start, end)
            axes.axvline(boundary, color=LINE_COLOR, linestyle=DASHES, linewidth=1.2, zorder=1)
    lowest = next(axes for axes in reversed(panels[-1]) if axes is not None)
    lowest.tick_params(axis="x", labelbottom=True)
    lowest.set_xlabel("Time (seconds)")
    if title is not None:
        _entitle(figure, title)
    return figure


def _layers(prompt: AnyScore, version: AnyScore) -> tuple[Layer, Layer]:
    pairs = zip(("prompt", "version"), (GIVEN_COLOR, NEW_COLOR), notes_in_seconds(prompt, version), strict=True)
    given, new = (Layer(name, color, notes[~drums], notes[drums]) for name, color, (notes, drums) in pairs)
    return given, new


def _times(rows: list[tuple[Layer, Layer]]) -> tuple[float, float, float]:
    """When the picture begins, when the music goes on, and when the picture ends, in seconds."""

    def onsets(layer: Layer) -> np.ndarray:
        return np.concatenate([layer.pitched[:, 0], layer.drums[:, 0]])

    def ends(layer: Layer) -> np.ndarray:
        return np.concatenate([layer.pitched[:, :2].sum(axis=1), layer.drums[:, 0]])

    given = rows[0][0]
    begins = [onsets(new).min() for _, new in rows if len(onsets(new))]
    boundary = float(min(begins)) if begins else float(ends(given).max())
    first = next((new for _, new in rows if len(onsets(new))), given)
    length = max(float(ends(first).max()) - boundary, LEAST_SECONDS)
    return max(0.0, boundary - LEAD_SECONDS) - 0.05, boundary, boundary + LATER * length


def _layout(number: int, drum_rows: int) -> tuple[Figure, list[tuple[Axes, Axes | None]]]:
    strip = DRUM_ROW_INCHES * max(drum_rows, 3) if drum_rows else 0.0
    left = LEFT_INCHES + (DRUM_LABEL_INCHES if drum_rows else 0.0)
    row = HEAD_INCHES + ROLL_INCHES + strip
    height = TITLE_INCHES + number * row + TIME_INCHES
    figure = Figure(figsize=(WIDTH_INCHES, height), dpi=DOTS_PER_INCH, facecolor="white")
    FigureCanvasAgg(figure)

    def add_axes(bottom: float, inches: float) -> Axes:
        width = WIDTH_INCHES - left - RIGHT_INCHES
        return figure.add_axes(
            (left / WIDTH_INCHES, bottom / height, width / WIDTH_INCHES, inches / height), sharex=first
        )

    panels: list[tuple[Axes, Axes | None]] = []
    first: Axes | None = None
    for index in range(number):
        bottom = TIME_INCHES + (number - 1 - index) * row
        roll = add_axes(bottom + strip, ROLL_INCHES)
        first = first or roll
        panels.append((roll, add_axes(bottom, strip) if drum_rows else None))
    return figure, panels


def _finish(figure: Figure, roll: Axes, strip: Axes | None, heading: str) -> None:
    for axes in filter(None, (roll, strip)):
        axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 5, 10]))
        axes.tick_params(length=2.5, color="#888888")
        axes.tick_params(axis="x", labelbottom=False)
        axes.spines[:].set_color("#BBBBBB")
    area = roll.get_position()
    figure.text(area.x0, area.y1 + 0.06 / figure.get_figheight(), heading, fontsize=10, parse_math=False)


def _entitle(figure: Figure, title: str) -> None:
    lettering, area = letter(title), figure.axes[0].get_position()
    text = figure.text(
        area.x0,
        1 - 0.28 / figure.get_figheight(),
        lettering.text,
        fontsize=12,
        fontfamily=lettering.families,
        parse_math=False,
    )
    fit(text, (WIDTH_INCHES - TITLE_GAP_INCHES) * figure.dpi)
