"""Seconds of ticks."""

import numpy as np

DEFAULT_MICROSECONDS_PER_QUARTER = 500_000


def to_seconds(ticks: np.ndarray, tempo_ticks: np.ndarray, microseconds: np.ndarray, tpq: int) -> np.ndarray:
    """Convert ticks to seconds.

    Args:
        ticks (`np.ndarray` of shape `(n,)`): times in ticks.
        tempo_ticks (`np.ndarray` of shape `(tempos,)`): ascending ticks of the tempo changes, the first one 0.
        microseconds (`np.ndarray` of shape `(tempos,)`): tempos in microseconds per quarter note.
        tpq (`int`): ticks per quarter note.

    Returns:
        `np.ndarray` of shape `(n,)`, float64 seconds.
    """
    passed = np.concatenate([[0.0], np.cumsum(np.diff(tempo_ticks) * microseconds[:-1])])
    segment = np.maximum(np.searchsorted(tempo_ticks, ticks, side="right") - 1, 0)
    return (passed[segment] + (ticks - tempo_ticks[segment]) * microseconds[segment]) / (tpq * 1e6)
