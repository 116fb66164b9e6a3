"""Ticks and seconds."""

from __future__ import annotations

import numpy as np

DEFAULT_MICROSECONDS_PER_QUARTER = 500_000


def to_seconds(ticks: np.ndarray, tempo_ticks: np.ndarray, microseconds: np.ndarray, tpq: int) -> np.ndarray:
    """
    Convert ticks to seconds.

    Args:
        ticks (`np.ndarray` of shape `(n,)`): times in ticks.
        tempo_ticks (`np.ndarray` of shape `(tempos,)`): ascending ticks of the tempo changes, the first one 0.
        microseconds (`np.ndarray` of shape `(tempos,)`): tempos in microseconds per quarter note.
        tpq (`int`): ticks per quarter note.

    Returns:
        `np.ndarray` of shape `(n,)`, float64 seconds.
    """
    segment = np.maximum(np.searchsorted(tempo_ticks, ticks, side="right") - 1, 0)
    return (_passed(tempo_ticks, microseconds)[segment] + (ticks - tempo_ticks[segment]) * microseconds[segment]) / (
        tpq * 1e6
    )


def to_ticks(seconds: np.ndarray, tempo_ticks: np.ndarray, microseconds: np.ndarray, tpq: int) -> np.ndarray:
    """Convert seconds to the last whole tick before them; the arguments are those of [`to_seconds`]."""
    passed = _passed(tempo_ticks, microseconds) / (tpq * 1e6)
    segment = np.maximum(np.searchsorted(passed, seconds, side="right") - 1, 0)
    within = (seconds - passed[segment]) * tpq * 1e6 / microseconds[segment]
    return tempo_ticks[segment] + within.astype(np.int64)


def tempo_map(ticks: np.ndarray, microseconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Put tempo changes in order, from tick 0.

    Args:
        ticks (`np.ndarray` of shape `(tempos,)`): of the changes, in any order.
        microseconds (`np.ndarray` of shape `(tempos,)`): tempos in microseconds per quarter note.

    Returns:
        Both, with MIDI's default of 120 quarter notes a minute where the first change comes later than tick 0.
    """
    order = np.argsort(ticks, kind="stable")
    ticks, microseconds = ticks[order].astype(np.int64), microseconds[order].astype(np.float64)
    if len(ticks) == 0 or ticks[0] > 0:
        ticks = np.concatenate([[0], ticks])
        microseconds = np.concatenate([[DEFAULT_MICROSECONDS_PER_QUARTER], microseconds])
    return ticks, microseconds


def _passed(tempo_ticks: np.ndarray, microseconds: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(np.diff(tempo_ticks) * microseconds[:-1])])
