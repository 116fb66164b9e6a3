"""New notes among those that stay: on the ticks of a score, within a span, and no pitch struck while it sounds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from .grid import nearest_steps
from .score_arrays import DRUMS, FAR, ScoreArrays

VOICE = 2**32
"""Of program and pitch: more than the ticks that symusic can hold."""


def fit_notes(
    new: ScoreArrays, kept: ScoreArrays, start: int, end: int, programs: Collection[int] | None
) -> tuple[ScoreArrays, dict[str, int]]:
    """
    Fits notes into a span of a score.

    Args:
        new ([`ScoreArrays`]): the notes, in any ticks, of which 0 is the beginning of the span.
        kept ([`ScoreArrays`]): the notes that stay.
        start (`int`): where the span begins, in ticks of `kept`.
        end (`int`): where it ends.
        programs (collection of `int`, *optional*): that new notes may have, -1 for drums; any if `None`.

    Returns:
        [`ScoreArrays`] of `new` at its place, in ticks of `kept`; and counts: `shortened` and `moved` of these,
        `outside`, `other_program`, `sounding` and `doubled` of those that are left out.
    """
    inside = (new.onset >= 0) & (new.onset * kept.ticks_per_quarter < (end - start) * new.ticks_per_quarter)
    asked = np.ones(len(new), bool) if programs is None else np.isin(_programs(new), list(programs))
    counts = {"outside": _count(~inside), "other_program": _count(inside & ~asked)}
    new, counts["moved"] = _on_ticks(new.taken(np.flatnonzero(inside & asked)), kept.ticks_per_quarter, start, end)
    sounding = _sounds(new, kept)
    new = new.taken(np.flatnonzero(~sounding))
    doubled = _is_doubled(new)
    new = new.taken(np.flatnonzero(~doubled))
    new, counts["shortened"] = _until_struck_again(new, kept)
    return new, counts | {"sounding": _count(sounding), "doubled": _count(doubled)}


def _on_ticks(new: ScoreArrays, ticks_per_quarter: int, start: int, end: int) -> tuple[ScoreArrays, int]:
    """Onsets and ends at the nearest ticks, so that notes that touch still do; and how many onsets fell on the end."""
    onset, stop = (
        start + nearest_steps(ticks, new.ticks_per_quarter, ticks_per_quarter)
        for ticks in (new.onset, new.onset + new.duration)
    )
    late = onset >= end
    onset = np.where(late, end - 1, onset)
    fitted = replace(new, ticks_per_quarter=ticks_per_quarter, onset=onset, duration=np.maximum(stop - onset, 1))
    return fitted, _count(late)


def _sounds(new: ScoreArrays, kept: ScoreArrays) -> np.ndarray:
    """Whether the pitch of a note sounds when it begins; of drums, whose length is not heard, whether it is struck."""
    struck, ends = _places(kept, kept.onset), _places(kept, kept.onset + np.maximum(kept.duration, 0))
    order = np.argsort(struck, kind="stable")
    struck, until = np.append(struck[order], FAR), np.append(np.maximum.accumulate(ends[order]), -1)
    begins = _places(new, new.onset)
    last = np.searchsorted(struck[:-1], begins, side="right") - 1
    return (struck[last] == begins) | (until[last] > begins) & (_programs(new) != DRUMS)


def _is_doubled(new: ScoreArrays) -> np.ndarray:
    """Whether a longer note, or one as long that comes first, begins with it at the same pitch."""
    begins = _places(new, new.onset)
    order = np.lexsort((-new.duration, begins))
    doubled = np.empty(len(new), bool)
    doubled[order] = np.diff(begins[order], prepend=-1) == 0
    return doubled


def _until_struck_again(new: ScoreArrays, kept: ScoreArrays) -> tuple[ScoreArrays, int]:
    """Notes end where their pitch is struck again; and how many ended there that were longer."""
    begins = _places(new, new.onset)
    struck = np.append(np.sort(np.append(begins, _places(kept, kept.onset))), FAR)
    following = struck[np.searchsorted(struck, begins, side="right")]
    longest = following - begins  # beyond every length, where the next is of another voice
    return replace(new, duration=np.minimum(new.duration, longest)), _count(new.duration > longest)


def _places(notes: ScoreArrays, ticks: np.ndarray) -> np.ndarray:
    """One number for program, pitch and tick, in this order."""
    return ((_programs(notes) - DRUMS) * 128 + notes.pitch) * VOICE + ticks


def _programs(notes: ScoreArrays) -> np.ndarray:
    return notes.programs[notes.track]


def _count(which: np.ndarray) -> int:
    return int(which.sum())
