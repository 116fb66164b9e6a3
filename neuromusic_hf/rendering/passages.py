"""Pictures of two passages one above the other, with the notes that they share in colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from symusic.core import ScoreTick

from ..music import TempoMap, gather_notes
from .lettering import letter
from .rolls import NEW_COLOR, draw_bars, draw_rows, fit

SHARED_COLOR = NEW_COLOR
OTHER_COLOR = "#9A9A9A"
LOUD = 110

WIDTH_INCHES, ROLL_INCHES, DOTS_PER_INCH = 11.0, 2.4, 100
LEFT_INCHES, RIGHT_INCHES, TITLE_INCHES, TIME_INCHES, LEGEND_INCHES = 0.5, 0.15, 0.36, 0.5, 2.9
LEAST_SECONDS = 0.5
TAIL = 0.08
"""Of the time between the first and the last shared onset: what is shown after it."""


@dataclass(frozen=True, eq=False)
class Passage:
    """
    Part of a piece that another piece has too.

    Args:
        score ([`symusic.Score`]): the part, in ticks, from 0.
        shared (`np.ndarray` of `int64` and shape `(notes, 2)`): onset tick and pitch of the notes that are shared.
        title (`str`): what it is, in plain text.
    """

    score: ScoreTick
    shared: np.ndarray
    title: str


def plot_passages(first: Passage, second: Passage, transposition: int = 0) -> Figure:
    """
    Draws two passages as piano rolls one above the other, shared notes in vermillion and the others in grey.

    Each roll goes from its first shared note to its last, and the lower one is moved by the transposition: what is
    shared stands at the same place in both. Drums are not drawn.

    Args:
        first ([`Passage`]): shown above.
        second ([`Passage`]): shown below.
        transposition (`int`, *optional*, defaults to 0): semitones from first to second.

    Returns:
        `matplotlib.figure.Figure`: 11 inches wide, at 100 dots per inch. It belongs to no global state and needs no
        closing.

    Raises:
        `ValueError`: a passage shares no note.
    """
    passages, shifts = (first, second), (0, transposition)
    if not all(len(passage.shared) for passage in passages):
        raise ValueError("There is no shared note to draw.")
    notes = [_columns(passage) for passage in passages]
    pitches = np.concatenate([columns[:, 2] - shift for (columns, _), shift in zip(notes, shifts, strict=True)])
    figure, rolls = _layout()
    for axes, passage, (columns, is_shared), shift in zip(rolls, passages, notes, shifts, strict=True):
        draw_rows(axes, pitches.min() + shift, pitches.max() + shift)
        draw_bars(axes, columns[~is_shared], OTHER_COLOR, outlined=True)
        draw_bars(axes, columns[is_shared], SHARED_COLOR, outlined=True)
        last = max(float(columns[is_shared, 0].max()), LEAST_SECONDS)
        axes.set_xlim(-0.01 * last, (1 + TAIL) * last)
        _decorate(axes, passage.title, figure)
    rolls[-1].set_xlabel("Time in the passage (seconds)")
    figure.legend(
        handles=[Patch(color=SHARED_COLOR, label="shared notes"), Patch(color=OTHER_COLOR, label="other notes")],
        loc="upper right",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    return figure


def _columns(passage: Passage) -> tuple[np.ndarray, np.ndarray]:
    """Onset and duration in seconds, pitch and velocity of the notes; and which of them are shared."""
    notes, clock = gather_notes(passage.score, drums=False), TempoMap.of(passage.score)
    onset = clock.to_seconds(notes.onset)
    duration = clock.to_seconds(np.maximum(notes.end, notes.onset)) - onset
    columns = np.stack([onset, duration, notes.pitch, np.full(len(notes), LOUD)], axis=1).astype(np.float64)
    return columns, np.isin(_keys(notes.onset, notes.pitch), _keys(*passage.shared.T))


def _keys(onset: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    return onset.astype(np.int64) * 128 + pitch


def _layout() -> tuple[Figure, list[Axes]]:
    height = 2 * (TITLE_INCHES + ROLL_INCHES) + TIME_INCHES + 0.25
    figure = Figure(figsize=(WIDTH_INCHES, height), dpi=DOTS_PER_INCH, facecolor="white")
    FigureCanvasAgg(figure)
    width = (WIDTH_INCHES - LEFT_INCHES - RIGHT_INCHES) / WIDTH_INCHES
    bottoms = (TIME_INCHES + ROLL_INCHES + TITLE_INCHES + 0.25, TIME_INCHES)
    bounds = [(LEFT_INCHES / WIDTH_INCHES, bottom / height, width, ROLL_INCHES / height) for bottom in bottoms]
    return figure, [figure.add_axes(each) for each in bounds]


def _decorate(axes: Axes, title: str, figure: Figure) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 5, 10]))
    axes.tick_params(length=2.5, color="#888888")
    axes.spines[:].set_color("#BBBBBB")
    lettering, area = letter(title), axes.get_position()
    text = figure.text(
        area.x0,
        area.y1 + 0.09 / figure.get_figheight(),
        lettering.text,
        fontsize=11,
        fontfamily=lettering.families,
        parse_math=False,
    )
    fit(text, (WIDTH_INCHES - LEGEND_INCHES) * figure.dpi)
