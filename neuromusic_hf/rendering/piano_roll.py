"""Piano-roll pictures of a prompt and its continuation."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator
from symusic.core import ScoreSecond

from ..music import AnyScore, NoteArrays, TempoMap, check_score, gather_notes
from ..music.scores import in_seconds, in_ticks
from .rolls import GIVEN_COLOR, NEW_COLOR, Layer, draw_heading, draw_layers, draw_line


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
    layers = [
        Layer(name, color, notes[~is_drum], notes[is_drum])
        for name, color, (notes, is_drum) in zip(
            ("prompt", "continuation"), (GIVEN_COLOR, NEW_COLOR), notes_in_seconds(prompt, continuation), strict=False
        )
    ]
    pitched = np.concatenate([layer.pitched for layer in layers])
    drums = np.concatenate([layer.drums for layer in layers])
    if len(pitched) + len(drums) == 0:
        raise ValueError("There is no note to draw.")
    if boundary is None and continuation is not None:
        onsets = np.concatenate([layers[1].pitched, layers[1].drums])[:, 0]
        boundary = onsets.min() if len(onsets) else None

    end = float(max(pitched[:, :2].sum(axis=1).max(initial=0.0), drums[:, 0].max(initial=0.0)))
    figure = draw_layers(layers, width=float(np.clip(0.12 * end, 10, 22)))
    _label_time(figure, end)
    if boundary is not None:
        draw_line(figure, boundary)
    draw_heading(figure, layers, title)
    return figure


def notes_in_seconds(*given: AnyScore | None) -> list[tuple[np.ndarray, np.ndarray]]:
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


def _label_time(figure: Figure, end: float) -> None:
    for axes in figure.axes:
        axes.set_xlim(-0.005 * end, max(1.005 * end, 0.5))
    axes = figure.axes[-1]
    if end < 60:
        axes.xaxis.set_major_locator(MaxNLocator(12))
        axes.set_xlabel("Time (seconds)")
        return
    step = next((step for step in (5, 10, 15, 30, 60, 120, 300, 600, 1800) if end / step <= 16), end / 10)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time, _: f"{int(time) // 60}:{int(time) % 60:02d}"))
    axes.set_xlabel("Time (minutes:seconds)")
