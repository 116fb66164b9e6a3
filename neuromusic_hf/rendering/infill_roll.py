"""Pictures of infilled pieces: what stays, what was removed and what is new, around the places that were filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from symusic.core import ScoreTick

from ..music import check_score, new_music
from .rolls import GIVEN_COLOR, NEW_COLOR, Layer, draw_heading, draw_layers, draw_line
from .windows import Windows

REMOVED_COLOR = "#444444"
SPAN_COLOR = "#FBF3DC"
BAR_COLOR = "#D5D5D5"
INCHES_PER_SECOND = 0.45
MOST_BAR_NUMBERS = 24


def plot_infill(
    original: ScoreTick,
    new: ScoreTick,
    removed: ScoreTick,
    spans: Sequence[tuple[int, int]],
    *,
    title: str | None = None,
    bars: int = 2,
) -> Figure:
    """
    Draws the surroundings of infilled spans as one piano roll, in three colours.

    What stays is blue and what is new vermillion, as in [`plot_piano_roll`]; of what was removed there are outlines,
    over the others. Spans are shaded, between dashed lines. Where spans are far from each other, what lies between is
    left out. Bars are numbered as in a score: the first is 1.

    Args:
        original ([`symusic.Score`]): the piece before, in ticks.
        new ([`symusic.Score`]): the notes that were added, at their place, in the same ticks.
        removed ([`symusic.Score`]): those that were taken out, likewise.
        spans (sequence of `tuple[int, int]`): ticks at which each begins and ends; at least one.
        title (`str`, *optional*): as of [`plot_piano_roll`].
        bars (`int`, *optional*, defaults to 2): shown before and after each span, as far as the piece goes.

    Returns:
        `matplotlib.figure.Figure`: 10 to 22 inches wide, by duration, at 100 dots per inch.

    Raises:
        [`RefusedFile`]: The piece has no ticks per quarter note, or a bar without length.
    """
    check_score(original)
    windows = Windows.around(original, spans, bars)
    stays = new_music(original, removed, from_zero=False)
    layers = [
        _layer("stays", GIVEN_COLOR, stays, windows),
        replace(_layer("new", NEW_COLOR, new, windows), number=new.note_num()),
        replace(_layer("removed", REMOVED_COLOR, removed, windows), number=removed.note_num(), hollow=True),
    ]
    total = windows.total_seconds
    figure = draw_layers(layers, width=float(np.clip(INCHES_PER_SECOND * total, 10, 22)))
    for axes in figure.axes:
        axes.set_xlim(-0.005 * total, 1.005 * total)
    _draw_bar_lines(figure, windows)
    _draw_spans(figure, windows, spans)
    _draw_pauses(figure, windows)
    draw_heading(figure, layers, title)
    return figure


def _layer(name: str, color: str, score: ScoreTick, windows: Windows) -> Layer:
    columns, is_drum = [np.zeros((0, 4))], [np.zeros(0, bool)]
    for index, notes in enumerate(windows.notes(score)):
        onset = windows.place(notes.onset, index)
        duration = windows.place(notes.end, index) - onset
        columns.append(np.stack([onset, duration, notes.pitch, notes.velocity], axis=1).astype(np.float64))
        is_drum.append(notes.is_drum)
    rows, drums = np.concatenate(columns), np.concatenate(is_drum)
    return Layer(name, color, rows[~drums], rows[drums])


def _draw_bar_lines(figure: Figure, windows: Windows):
    numbers, places = [], []
    for index, (start, end) in enumerate(windows.ticks):
        shown = np.flatnonzero((windows.bars >= start) & (windows.bars < end))
        numbers += (shown + 1).tolist()
        places += windows.place(windows.bars[shown], index).tolist()
    for axes in figure.axes:
        for place in places:
            axes.axvline(place, color=BAR_COLOR, linewidth=0.8, zorder=0.6)
    step = -(-len(numbers) // MOST_BAR_NUMBERS)
    axes = figure.axes[-1]
    axes.set_xticks(places[::step], [str(number) for number in numbers[::step]])
    axes.set_xlabel("Bar (the first is 1)")


def _draw_spans(figure: Figure, windows: Windows, spans: Sequence[tuple[int, int]]):
    for span in spans:
        index = next(index for index, window in enumerate(windows.ticks) if window[0] <= span[0] < window[1])
        start, end = windows.place(np.array(span), index)
        for axes in figure.axes:
            axes.axvspan(start, end, color=SPAN_COLOR, linewidth=0, zorder=-1)
        draw_line(figure, start)
        draw_line(figure, end)


def _draw_pauses(figure: Figure, windows: Windows):
    ends = windows.begins + windows.seconds
    for end, begin in zip(ends[:-1], windows.begins[1:], strict=True):
        for axes in figure.axes:
            axes.axvspan(end, begin, facecolor="white", edgecolor="#BBBBBB", linewidth=0.8, zorder=4)
