"""The order in which a tokenizer writes notes, and which of several on one onset of a key it keeps."""

from __future__ import annotations

import numpy as np

from ...music.score_arrays import ScoreArrays

BITS_OF_PITCH, BITS_OF_ONSET = 7, 31


def place_of(notes: ScoreArrays) -> np.ndarray:
    """Track, onset and pitch of each note in one number: of shape `(notes,)`."""
    return ((notes.track << BITS_OF_ONSET) + notes.onset << BITS_OF_PITCH) + notes.pitch


def first_of_each(place: np.ndarray, second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """
    The notes in order of their places, one at each: the one with the least value.

    Args:
        place (`np.ndarray` of shape `(notes,)`): in what order they are.
        second (`np.ndarray` of shape `(notes,)`): the value of those with the same `first`.
        first (`np.ndarray` of shape `(notes,)`): the value.

    Returns:
        `np.ndarray` of shape `(kept,)`: indices of the notes.
    """
    order = place.argsort(kind="stable")
    same = np.diff(place[order]) == 0
    if not same.any():
        return order
    several = np.flatnonzero(np.append(same, False) | np.append(False, same))
    there = order[several]
    order[several] = there[np.lexsort((second[there], first[there], place[there]))]
    return order[np.append(True, ~same)]


def in_order_of_merging(notes: ScoreArrays, is_merged: np.ndarray) -> np.ndarray:
    """
    The notes as miditok has them where it keeps duplicates: one voice after the other, merged ones sorted.

    Args:
        notes ([`ScoreArrays`]): its tracks are voices.
        is_merged (`np.ndarray` of shape `(voices,)`): whether a voice is of several tracks.

    Returns:
        `np.ndarray` of shape `(notes,)`: indices of the notes.
    """
    order = notes.track.argsort(kind="stable")
    mixed = np.flatnonzero(is_merged[notes.track[order]])
    there = order[mixed]
    ranks = (notes.velocity, notes.pitch, notes.duration, notes.onset, notes.track)
    order[mixed] = there[np.lexsort([rank[there] for rank in ranks])]
    return order
