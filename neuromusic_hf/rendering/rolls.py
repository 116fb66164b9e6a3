"""What piano rolls are drawn of: rows of pitches, bars of notes, a strip of drums, a heading."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Text

from .lettering import letter, shorten

# Blue and vermillion of Okabe and Ito's palette (https://jfly.uni-koeln.de/color/): distinct to colour-blind readers,
# and blue stays the darker of the two in grey.
GIVEN_COLOR = "#0072B2"
NEW_COLOR = "#D55E00"
LINE_COLOR = "#222222"
DASHES = (0, (5, 3))
BLACK_KEYS = (1, 3, 6, 8, 10)
MIDDLE_C = 60
# General MIDI level 1 percussion key map, keys 35 to 81.
DRUM_NAMES = (
    "Kick 2|Kick|Side stick|Snare|Clap|Snare 2|Floor tom|Closed hat|High floor tom|Pedal hat|Low tom|Open hat|"
    "Low-mid tom|High-mid tom|Crash|High tom|Ride|China|Ride bell|Tambourine|Splash|Cowbell|Crash 2|Vibraslap|Ride 2|"
    "High bongo|Low bongo|Mute conga|Open conga|Low conga|High timbale|Low timbale|High agogo|Low agogo|Cabasa|"
    "Maracas|Short whistle|Long whistle|Short guiro|Long guiro|Claves|High block|Low block|Mute cuica|Open cuica|"
    "Mute triangle|Open triangle"
).split("|")
FIRST_DRUM = 35
NAMED_DRUM_ROWS = 24
OUTLINED_NOTES = 1500

ROLL_INCHES = 4.2
DRUM_ROW_INCHES = 0.16
LEFT_INCHES, RIGHT_INCHES, TOP_INCHES, BOTTOM_INCHES, GAP_INCHES = 0.6, 0.2, 0.5, 0.5, 0.08
DRUM_LABEL_INCHES = 0.45
TITLE_GAP_INCHES, MOST_TITLE_CHARACTERS = 0.2, 400


@dataclass(frozen=True, eq=False)
class Layer:
    """
    Notes of one colour: arrays of shape `(notes, 4)`, of onset and duration in seconds, pitch and velocity.

    Attributes:
        name (`str`): what they are, for the legend.
        color (`str`): of the loudest, `"#RRGGBB"`.
        pitched (`np.ndarray`): those that are not drums.
        drums (`np.ndarray`): hits of drums.
        hollow (`bool`): only their outlines are drawn, over all others.
        number (`int`, *optional*): how many they are, for the legend, where some are drawn in parts.
    """

    name: str
    color: str
    pitched: np.ndarray
    drums: np.ndarray
    hollow: bool = False
    number: int | None = None

    @property
    def words(self) -> str:
        """What the legend says."""
        count = len(self.pitched) + len(self.drums) if self.number is None else self.number
        return f"{self.name} ({count:,} {'note' if count == 1 else 'notes'})"


def draw_layers(layers: Sequence[Layer], width: float) -> Figure:
    """
    Draws notes, pitched ones as bars and below them drums as ticks, each where there are some.

    Args:
        layers (sequence of [`Layer`]): later ones over earlier ones.
        width (`float`): of the figure in inches.

    Returns:
        [`matplotlib.figure.Figure`]: its axes are those of the pitched notes, then those of the drums.
    """
    pitched = np.concatenate([layer.pitched for layer in layers])
    drum_keys = np.unique(np.concatenate([layer.drums for layer in layers])[:, 2])
    figure, roll, strip = _layout(width, len(pitched) > 0 or len(drum_keys) == 0, len(drum_keys))
    if roll is not None:
        pitches = pitched[:, 2] if len(pitched) else np.array([MIDDLE_C])
        draw_rows(roll, pitches.min(), pitches.max())
    if strip is not None:
        label_drums(strip, drum_keys)
    for layer in layers:
        if roll is not None and len(layer.pitched):
            draw_bars(roll, layer.pitched, layer.color, outlined=len(pitched) <= OUTLINED_NOTES, hollow=layer.hollow)
        if strip is not None and len(layer.drums):
            draw_hits(strip, layer, drum_keys)
    for axes in figure.axes:
        axes.tick_params(length=2.5, color="#888888")
        axes.tick_params(axis="x", labelbottom=axes is figure.axes[-1])
        axes.spines[:].set_color("#BBBBBB")
    return figure


def draw_line(figure: Figure, seconds: float):
    """Draws a dashed line from the top to the bottom of all axes."""
    for axes in figure.axes:
        axes.axvline(seconds, color=LINE_COLOR, linestyle=DASHES, linewidth=1.2, zorder=1)


def draw_heading(figure: Figure, layers: Sequence[Layer], title: str | None):
    """Title at the left and legend at the right, above the axes."""
    area = figure.axes[0].get_position()
    handles = [
        Patch(
            facecolor="none" if layer.hollow else layer.color,
            edgecolor=layer.color,
            label=layer.words,
        )
        for layer in layers
    ]
    legend = figure.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(area.x1, area.y1),
        borderaxespad=0.3,
        ncols=len(handles),
        frameon=False,
    )
    if title is not None:
        baseline = area.y1 + 0.13 / figure.get_figheight()
        shown = letter(title)
        fonts: dict[str, Any] = {"fontsize": 12, "fontfamily": shown.families, "parse_math": False}
        text = figure.text(area.x0, baseline, shown.text, va="baseline", **fonts)
        fit(text, legend.get_window_extent().x0 - TITLE_GAP_INCHES * figure.dpi)


def draw_rows(axes: Axes, lowest: float, highest: float) -> None:
    """Octave labels, and a light band behind each black key as on a keyboard; at least two octaves are shown."""
    margin = max(2.0, (24 - (highest - lowest)) / 2)
    low, high = math.floor(lowest - margin), math.ceil(highest + margin)
    for pitch in range(low, high + 1):
        if pitch % 12 in BLACK_KEYS:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="#F1F1F1", linewidth=0, zorder=0)
        elif pitch % 12 == 0:
            axes.axhline(pitch - 0.5, color="#C8C8C8", linewidth=0.7, zorder=0.5)
    octaves = range(12 * math.ceil(low / 12), high + 1, 12)
    # Middle C, MIDI pitch 60, is C4.
    axes.set_yticks(list(octaves), [f"C{pitch // 12 - 1}" for pitch in octaves])
    axes.set_ylim(low - 0.5, high + 0.5)


def draw_bars(axes: Axes, notes: np.ndarray, color: str, outlined: bool, hollow: bool = False) -> None:
    """
    Draws notes from onset to release.

    Args:
        axes ([`Axes`]): to draw on.
        notes (`np.ndarray` of shape `(notes, 4)`): onset and duration in seconds, pitch and velocity.
        color (`str`): of the loudest, `"#RRGGBB"`.
        outlined (`bool`): whether a darker line is drawn around each.
        hollow (`bool`, *optional*, defaults to `False`): only the outlines are drawn, over all other notes.
    """
    onset, duration, pitch, velocity = notes.T
    left, right, bottom, top = onset, onset + duration, pitch - 0.42, pitch + 0.42
    corners = np.stack([left, bottom, left, top, right, top, right, bottom], axis=1).reshape(-1, 4, 2)
    faces = _colors(velocity, color)
    # The outline keeps notes visible that are shorter than a pixel; darker, it separates repeated notes.
    how: dict[str, Any] = {"facecolors": faces, "edgecolors": faces * 0.8 if outlined else faces, "linewidths": 0.4}
    if hollow:
        how = {"facecolors": "none", "edgecolors": color, "linewidths": 0.9}
    # Its annotation lacks arrays of this shape, which are drawn fastest.
    bars = PolyCollection(corners, zorder=3 if hollow else 2, **how)  # type: ignore[arg-type]
    axes.add_collection(bars, autolim=False)


def fit(text: Text, right: float) -> None:
    """Shortens a text to the longest that ends before `right`, in dots."""
    whole = shorten(text.get_text(), MOST_TITLE_CHARACTERS)

    def is_too_wide(length: int) -> bool:
        text.set_text(shorten(whole, length))
        return text.get_window_extent().x1 > right

    if whole and is_too_wide(len(whole)):
        text.set_text(shorten(whole, bisect_left(range(1, len(whole)), True, key=is_too_wide)))


def _layout(width: float, has_roll: bool, drum_rows: int) -> tuple[Figure, Axes | None, Axes | None]:
    """Figure with axes for the pitched notes and, below them, for the drums; sizes in inches, fixed for speed."""
    roll_height = ROLL_INCHES if has_roll else 0.0
    strip_height = min(DRUM_ROW_INCHES * max(drum_rows, 3), ROLL_INCHES) if drum_rows else 0.0
    gap = GAP_INCHES if has_roll and drum_rows else 0.0
    height = BOTTOM_INCHES + strip_height + gap + roll_height + TOP_INCHES
    left = LEFT_INCHES + (DRUM_LABEL_INCHES if drum_rows else 0.0)
    figure = Figure(figsize=(width, height), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)

    def add_axes(bottom: float, axes_height: float, sharex: Axes | None = None) -> Axes:
        bounds = (left / width, bottom / height, (width - left - RIGHT_INCHES) / width, axes_height / height)
        return figure.add_axes(bounds, sharex=sharex)

    roll = add_axes(BOTTOM_INCHES + strip_height + gap, roll_height) if has_roll else None
    strip = add_axes(BOTTOM_INCHES, strip_height, sharex=roll) if drum_rows else None
    return figure, roll, strip


def label_drums(axes: Axes, keys: np.ndarray) -> None:
    """Rows of a strip of drums, with their names."""
    last = FIRST_DRUM + len(DRUM_NAMES)
    names = [DRUM_NAMES[int(key) - FIRST_DRUM] if FIRST_DRUM <= key < last else f"Drum {int(key)}" for key in keys]
    axes.set_ylim(-0.6, max(len(keys), 3) - 0.4)
    if len(keys) <= NAMED_DRUM_ROWS:
        axes.set_yticks(range(len(keys)), names, fontsize=7)
    else:
        axes.set_yticks([])
        axes.set_ylabel("Drums")
    for row in range(len(keys)):
        axes.axhline(row, color="#E8E8E8", linewidth=0.6, zorder=0.5)


def draw_hits(axes: Axes, layer: Layer, keys: np.ndarray) -> None:
    """Draws the drums of a layer as ticks at their onsets, each in the row of its key."""
    rows, seconds = np.searchsorted(keys, layer.drums[:, 2]), layer.drums[:, 0]
    if layer.hollow:
        axes.scatter(seconds, rows, s=26, facecolors="none", edgecolors=layer.color, linewidths=0.9, zorder=3)
        return
    colors = _colors(layer.drums[:, 3], layer.color)
    axes.vlines(seconds, rows - 0.38, rows + 0.38, colors=colors, linewidth=1.2, zorder=2)


def _colors(velocities: np.ndarray, color: str) -> np.ndarray:
    """RGB rows of shape `(notes, 3)`, paler for softer notes; opaque, so that overlapping notes keep their colour."""
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    strength = 0.5 + 0.5 * np.clip(velocities / 110, 0, 1)[:, None]
    return strength * rgb + (1 - strength)
