"""Parts of a piece as sound, one after another."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
from symusic.core import (
    ControlChangeTickList,
    NoteTickList,
    PedalTickList,
    PitchBendTickList,
    ScoreTick,
    TempoTickList,
    TrackTick,
)

from .audio import render_audio
from .windows import PAUSE_SECONDS, Windows

CUT_WARNING = "The parts last"
"""How the warning begins, for who tells it otherwise."""


def render_windows(
    score: ScoreTick,
    windows: Windows,
    *,
    soundfont: str | os.PathLike | None = None,
    sample_rate: int = 44100,
    max_seconds: float = 600.0,
) -> np.ndarray:
    """
    Renders parts of a piece to stereo audio, as they sound in it: at its tempos, with its controllers.

    Notes that sound on from before a part begin with it, and none goes on past its end. Each is followed by a second
    of silence, in which its last chord rings.

    Args:
        score ([`symusic.Score`]): the piece, in ticks.
        windows ([`Windows`]): of it, or of one with the same bars and tempos.
        soundfont (`str` or `os.PathLike`, *optional*): as of [`render_audio`], as are its errors.
        sample_rate (`int`, *optional*, defaults to 44100): samples per second.
        max_seconds (`float`, *optional*, defaults to 600.0): longest audio to make; longer is cut, with a warning.

    Returns:
        `np.ndarray` of `float32` and shape `(2, samples)`, with full scale at ±1; silent where nothing sounds.
    """
    total = windows.total_seconds + PAUSE_SECONDS
    if total > max_seconds:
        warnings.warn(f"{CUT_WARNING} {total:.1f} s; their audio is cut at {max_seconds:.1f} s.", stacklevel=2)
    audio = np.zeros((2, round(min(total, max_seconds) * sample_rate)), np.float32)
    for (start, end), begin, seconds in zip(windows.ticks, windows.begins, windows.seconds, strict=True):
        part, first = _part(score, start, end), round(begin * sample_rate)
        if part.note_num() and first < audio.shape[1]:
            most = float(seconds) + PAUSE_SECONDS
            sound = render_audio(part, soundfont=soundfont, sample_rate=sample_rate, max_seconds=most)
            sound = sound[:, : audio.shape[1] - first]
            audio[:, first : first + sound.shape[1]] = sound
    return audio


def _part(score: ScoreTick, start: int, end: int) -> ScoreTick:
    """What sounds from one tick to another, moved so that it begins at 0, with what is in force there."""
    part = ScoreTick(score.ticks_per_quarter)
    part.tempos = TempoTickList.from_numpy(*_in_force(score.tempos, start, end))
    for track in score.tracks:
        copy = TrackTick(track.name, track.program, track.is_drum)
        copy.notes = NoteTickList.from_numpy(*_sounding(track.notes, start, end, is_struck=track.is_drum))
        copy.pedals = PedalTickList.from_numpy(*_sounding(track.pedals, start, end))
        copy.controls = ControlChangeTickList.from_numpy(*_in_force(track.controls, start, end, kind="number"))
        copy.pitch_bends = PitchBendTickList.from_numpy(*_in_force(track.pitch_bends, start, end))
        part.tracks.append(copy)
    return part


def _sounding(events: Any, start: int, end: int, is_struck: bool = False) -> list[np.ndarray]:
    """Notes or pedals as arrays, cut at both ends; those `is_struck` only where they begin inside."""
    columns = events.numpy()
    begin, stop = columns["time"], columns["time"] + np.maximum(columns["duration"], 1)
    inside = (begin < end) & ((begin >= start) if is_struck else (stop > start))
    first = np.maximum(begin, start)
    columns |= {"time": first - start, "duration": np.minimum(stop, end) - first}
    return [values[inside] for values in columns.values()]


def _in_force(events: Any, start: int, end: int, kind: str | None = None) -> list[np.ndarray]:
    """Changes inside as arrays, and the last one before, or the last of each kind, at 0."""
    columns = events.numpy()
    order = np.argsort(columns["time"], kind="stable")
    columns = {name: values[order] for name, values in columns.items()}
    before, stop = np.searchsorted(columns["time"], [start + 1, end])
    kinds = columns[kind][:before] if kind else np.zeros(before, np.int64)
    _, from_last = np.unique(kinds[::-1], return_index=True)
    kept = np.append(np.sort(before - 1 - from_last), np.arange(before, max(before, stop)))
    columns["time"] = np.maximum(columns["time"] - start, 0)
    return [values[kept] for values in columns.values()]
