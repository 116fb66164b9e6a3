"""How much a file asks for: few bytes can make many bars, and many events nothing that sounds."""

from __future__ import annotations

import numpy as np
from symusic.core import ScoreTick

from .bars import meters_of
from .limits import SanityLimits, exceeds
from .note_arrays import NoteArrays
from .refusals import RefusedFile
from .tempo import DEFAULT_MICROSECONDS_PER_QUARTER, TempoMap

TRACK = b"MTrk"
SYSTEM = b"\xf0\xf7\xff"
"""First bytes of meta and system exclusive events, which channel events and their data do not have."""


def check_bytes(data: bytes, limits: SanityLimits) -> None:
    """Raises `RefusedFile`, `too_many_tracks` or `too_many_events`, before a file is read."""
    if exceeds(tracks := data.count(TRACK), limits.max_tracks):
        raise RefusedFile("too_many_tracks", f"{tracks} tracks, limit {limits.max_tracks}")
    if exceeds(events := len(data) - len(data.translate(None, SYSTEM)), limits.max_system_events):
        raise RefusedFile("too_many_events", f"{events} that are of no channel, limit {limits.max_system_events}")


def check_extent(score: ScoreTick, notes: NoteArrays, limits: SanityLimits) -> None:
    """
    Checks how much music was read.

    Args:
        score ([`symusic.Score`]): in ticks.
        notes ([`NoteArrays`]): of the score.
        limits ([`SanityLimits`]): what there may be.

    Raises:
        [`RefusedFile`]: `too_many_notes`, `too_many_meters`, `too_long` or `too_many_bars`.
    """
    if exceeds(count := len(notes.pitch), limits.max_notes):
        raise RefusedFile("too_many_notes", f"{count} notes, limit {limits.max_notes}")
    if exceeds(meters := len(score.time_signatures), limits.max_meters):
        raise RefusedFile("too_many_meters", f"{meters} meters, limit {limits.max_meters}")
    end = max(score.end(), int((notes.onset + notes.duration).max(initial=0)))
    slowest = score.tempos.numpy()["mspq"].max(initial=DEFAULT_MICROSECONDS_PER_QUARTER)
    if exceeds(end / score.tpq * float(slowest) / 1e6, limits.max_seconds):
        seconds = float(TempoMap.of(score).to_seconds(end))
        if exceeds(seconds, limits.max_seconds):
            raise RefusedFile("too_long", f"{seconds:.0f} s, limit {limits.max_seconds} s")
    if exceeds(bars := _bars(score, end), limits.max_bars):
        raise RefusedFile("too_many_bars", f"{bars:.0f} bars, limit {limits.max_bars}")


def _bars(score: ScoreTick, end: int) -> float:
    time, numerator, denominator = meters_of(score)
    length = np.maximum(np.append(time[1:], end) - time, 0)
    return float(np.ceil(length * denominator / (4 * score.tpq * numerator)).sum())
