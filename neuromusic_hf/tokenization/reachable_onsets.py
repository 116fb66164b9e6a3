"""Where Structured can write onsets: it writes each as a shift from the one before, its length rounded."""

from bisect import bisect_left

import numpy as np


def reachable_onsets(onset: np.ndarray, exact: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """
    Moves onsets to where shifts lead, no error carried on.

    A gap longer than the longest shift stays as it is, and decoding makes it that shift.

    Args:
        onset (`np.ndarray` of shape `(notes,)`): in ticks, in any order.
        exact (`np.ndarray` of shape `(notes,)`): the same before they were rounded; of several notes on one onset the
            first one counts.
        shifts (`np.ndarray`): lengths in ticks, ascending.

    Returns:
        `np.ndarray` of shape `(notes,)`
    """
    gaps = np.diff(np.sort(onset), prepend=0)
    if np.isin(gaps[gaps <= shifts[-1]], [0, *shifts]).all():
        return onset
    onsets, first, onset_of = np.unique(onset, return_index=True, return_inverse=True)
    moved = _reachable(onsets.tolist(), exact[first].tolist(), shifts.tolist())
    return np.array(moved, dtype=onset.dtype)[onset_of]


def _reachable(onsets: list[int], exact: list[float], shifts: list[int]) -> list[int]:
    """Where shifts lead to, for each onset; onsets are ascending."""
    now, found, known = 0, [], {0, *shifts}
    for onset, wanted in zip(onsets, exact, strict=True):
        gap = onset - now
        if gap <= shifts[-1] and (gap not in known or (found and not gap)):
            index = bisect_left(shifts, wanted - now)
            gap = min(shifts[max(0, index - 1) : index + 1], key=lambda shift: abs(now + shift - wanted))
        now += gap
        found.append(now)
    return found
