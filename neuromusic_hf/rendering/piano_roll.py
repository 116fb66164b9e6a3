"""Piano-roll pictures of a prompt and its continuation."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator
from symusic.core import ScoreSecond

from ..music import AnyScore, NoteArrays, TempoMap, check_score, gather_notes
from ..music.scores import in_seconds, in_ticks
from .lettering import letter, shorten

# Blue and vermillion of Okabe and Ito's palette (https://jfly.uni-koeln.de/color/): distinct to colour-blind readers,
# and blue stays the darker of the two in grey.
PROMPT_COLOR = "#0072B2"
CONTINUATION_COLOR = "#D55E00"
BLACK_KEYS = (1, 3, 6, 8, 10)
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


class _ColoredNotes(NamedTuple):
    name: str
    color: str
    pitched: np.ndarray
    drums: np.ndarray


def plot_piano_roll(
    prompt: AnyScore,
    continuation: AnyScore | None = None,
    *,
    title: str | None = None,
    boundary: float | None = None,
) -> Figure:
    """
    Draws a prompt and its continuation as one piano roll, in two colours.

    Pitched notes are bars from onset to release, one row for each pitch, stronger in colour the higher their velocity.
    Drum hits are ticks at their onset in a strip below, one row for each drum that is used: their durations mean
    nothing. A dashed line marks where the continuation begins. Times are in seconds, with MIDI's default of 120 bpm
    where a score has no tempo.

    The figure belongs to no global state, so that hundreds can be drawn in a training run, in any thread, and need no
    closing. Save it with `figure.savefig("piece.png")`.

    Args:
        prompt (`symusic.Score`):
            The given part of the piece, or a whole piece.
        continuation (`symusic.Score`, *optional*):
            Only the notes that follow, at their times in the whole piece (not from zero). Its tempo map takes over
            where the prompt's ends: tempos of the prompt hold until the first later one of the continuation.
        title (`str`, *optional*):
            Shown above the picture as plain text, in its own script if a font of this machine has it, else in Latin
            letters; its end becomes an ellipsis where it would run into the legend.
        boundary (`float`, *optional*):
            Time of the dashed line in seconds. Defaults to the continuation's first onset; a prompt's last notes may
            still sound there.

    Returns:
        `matplotlib.figure.Figure`: 10 to 22 inches wide, by duration, at 100 dots per inch.

    Raises:
        `ValueError`: Neither score has a note.
        [`RefusedFile`]: A score has no ticks per quarter note, or a bar without length.

    Example:
    ```python
    >>> figure = plot_piano_roll(prompt, continuation, title="Prelude in C")
    >>> figure.savefig("prelude.png")
    ```
    """
    parts = [
        _ColoredNotes(name, color, notes[~is_drum], notes[is_drum])
        for name, color, (notes, is_drum) in zip(
            ("prompt", "continuation"), (PROMPT_COLOR, CONTINUATION_COLOR), _notes(prompt, continuation), strict=False
        )
    ]
    pitched = np.concatenate([part.pitched for part in parts])
    drums = np.concatenate([part.drums for part in parts])
    if len(pitched) + len(drums) == 0:
        raise ValueError("There is no note to draw.")
    if boundary is None and continuation is not None:
        onsets = np.concatenate([parts[1].pitched, parts[1].drums])[:, 0]
        boundary = onsets.min() if len(onsets) else None

    end = float(max(pitched[:, :2].sum(axis=1).max(initial=0.0), drums[:, 0].max(initial=0.0)))
    drum_keys = np.unique(drums[:, 2])
    figure, roll, strip = _layout(end, has_roll=len(pitched) > 0, drum_rows=len(drum_keys))
    if roll is not None:
        draw_rows(roll, pitched[:, 2].min(), pitched[:, 2].max())
    if strip is not None:
        _label_drums(strip, drum_keys)
    for part in parts:
        if roll is not None and len(part.pitched):
            draw_bars(roll, part.pitched, part.color, outlined=len(pitched) <= OUTLINED_NOTES)
        if strip is not None and len(part.drums):
            _draw_hits(strip, part.drums, drum_keys, part.color)
    _label_time(figure.axes, end)
    if boundary is not None:
        for axes in figure.axes:
            axes.axvline(boundary, color="#222222", linestyle=(0, (5, 3)), linewidth=1.2, zorder=1)
    _draw_heading(figure, parts, title)
    return figure


def _notes(*given: AnyScore | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """
    The notes of scores on one tempo map, as a continuation in ticks may carry no tempo of its own.

    Returns:
        For each score a `float64` array of shape `(notes, 4)`: onset and duration in seconds, pitch and velocity; and
        one of shape `(notes,)`: whether they are drums.
    """
    scores = [score for score in given if score is not None]
    for score in scores:
        check_score(score)
    if any(isinstance(score, ScoreSecond) for score in scores):
        gathered = [gather_notes(in_seconds(score)) for score in scores]
        return [(_columns(notes, notes.onset, notes.duration), notes.is_drum) for notes in gathered]
    pieces = [in_ticks(score) for score in scores]
    unit = math.lcm(*(piece.ticks_per_quarter for piece in pieces))
    scales = [unit // piece.ticks_per_quarter for piece in pieces]
    tempos = [piece.tempos.numpy() for piece in pieces]
    ticks = [changes["time"].astype(np.int64) * scale for changes, scale in zip(tempos, scales, strict=True)]
    # Where two scores change the tempo at one time, the last of the list counts: that of the first score.
    lengths = [changes["mspq"] for changes in tempos]
    clock = TempoMap.of_changes(np.concatenate(ticks[::-1]), np.concatenate(lengths[::-1]), unit)
    rows = []
    for piece, scale in zip(pieces, scales, strict=True):
        notes = gather_notes(piece)
        onset = clock.to_seconds(notes.onset * scale)
        end = clock.to_seconds(np.maximum(notes.end, notes.onset) * scale)
        rows.append((_columns(notes, onset, end - onset), notes.is_drum))
    return rows


def _columns(notes: NoteArrays, onset: np.ndarray, duration: np.ndarray) -> np.ndarray:
    return np.stack([onset, duration, notes.pitch, notes.velocity], axis=1).astype(np.float64)


def _layout(end: float, has_roll: bool, drum_rows: int) -> tuple[Figure, Axes | None, Axes | None]:
    """Figure with axes for the pitched notes and, below them, for the drums; sizes in inches, fixed for speed."""
    roll_height = ROLL_INCHES if has_roll else 0.0
    strip_height = min(DRUM_ROW_INCHES * max(drum_rows, 3), ROLL_INCHES) if drum_rows else 0.0
    gap = GAP_INCHES if has_roll and drum_rows else 0.0
    width = float(np.clip(0.12 * end, 10, 22))
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


def _label_drums(axes: Axes, keys: np.ndarray) -> None:
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


def _colors(velocities: np.ndarray, color: str) -> np.ndarray:
    """RGB rows of shape `(notes, 3)`, paler for softer notes; opaque, so that overlapping notes keep their colour."""
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    strength = 0.5 + 0.5 * np.clip(velocities / 110, 0, 1)[:, None]
    return strength * rgb + (1 - strength)


def draw_bars(axes: Axes, notes: np.ndarray, color: str, outlined: bool) -> None:
    """
    Draws notes from onset to release.

    Args:
        axes ([`Axes`]): to draw on.
        notes (`np.ndarray` of shape `(notes, 4)`): onset and duration in seconds, pitch and velocity.
        color (`str`): of the loudest, `"#RRGGBB"`.
        outlined (`bool`): whether a darker line is drawn around each.
    """
    onset, duration, pitch, velocity = notes.T
    left, right, bottom, top = onset, onset + duration, pitch - 0.42, pitch + 0.42
    corners = np.stack([left, bottom, left, top, right, top, right, bottom], axis=1).reshape(-1, 4, 2)
    faces = _colors(velocity, color)
    # The outline keeps notes visible that are shorter than a pixel; darker, it separates repeated notes.
    edges = faces * 0.8 if outlined else faces
    # Its annotation lacks arrays of this shape, which are drawn fastest.
    bars = PolyCollection(corners, facecolors=faces, edgecolors=edges, linewidths=0.4, zorder=2)  # type: ignore[arg-type]
    axes.add_collection(bars, autolim=False)


def _draw_hits(axes: Axes, notes: np.ndarray, keys: np.ndarray, color: str) -> None:
    rows = np.searchsorted(keys, notes[:, 2])
    axes.vlines(notes[:, 0], rows - 0.38, rows + 0.38, colors=_colors(notes[:, 3], color), linewidth=1.2, zorder=2)


def _label_time(stack: list[Axes], end: float) -> None:
    for axes in stack:
        axes.set_xlim(-0.005 * end, max(1.005 * end, 0.5))
        axes.tick_params(length=2.5, color="#888888")
        axes.tick_params(axis="x", labelbottom=axes is stack[-1])
        axes.spines[:].set_color("#BBBBBB")
    axes = stack[-1]
    if end < 60:
        axes.xaxis.set_major_locator(MaxNLocator(12))
        axes.set_xlabel("Time (seconds)")
        return
    step = next((step for step in (5, 10, 15, 30, 60, 120, 300, 600, 1800) if end / step <= 16), end / 10)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time, _: f"{int(time) // 60}:{int(time) % 60:02d}"))
    axes.set_xlabel("Time (minutes:seconds)")


def _draw_heading(figure: Figure, parts: list[_ColoredNotes], title: str | None) -> None:
    """Title at the left and legend at the right, above the axes."""
    area = figure.axes[0].get_position()
    counts = [len(part.pitched) + len(part.drums) for part in parts]
    handles = [
        Patch(color=part.color, label=f"{part.name} ({count:,} {'note' if count == 1 else 'notes'})")
        for part, count in zip(parts, counts, strict=True)
    ]
    legend = figure.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(area.x1, area.y1),
        borderaxespad=0.3,
        ncols=2,
        frameon=False,
    )
    if title is not None:
        baseline = area.y1 + 0.13 / figure.get_figheight()
        shown = letter(title)
        fonts: dict[str, Any] = {"fontsize": 12, "fontfamily": shown.families, "parse_math": False}
        text = figure.text(area.x0, baseline, shown.text, va="baseline", **fonts)
        fit(text, legend.get_window_extent().x0 - TITLE_GAP_INCHES * figure.dpi)


def fit(text: Text, right: float) -> None:
    """Shortens a text to the longest that ends before `right`, in dots."""
    whole = shorten(text.get_text(), MOST_TITLE_CHARACTERS)

    def is_too_wide(length: int) -> bool:
        text.set_text(shorten(whole, length))
        return text.get_window_extent().x1 > right

    if whole and is_too_wide(len(whole)):
        text.set_text(shorten(whole, bisect_left(range(1, len(whole)), True, key=is_too_wide)))
