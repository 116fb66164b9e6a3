"""`read_midi`: the one way from the bytes of a file to a score."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache

from symusic.core import ScoreTick

from .chunks import read_events
from .extent import check_bytes, check_extent
from .limits import SanityLimits, exceeds
from .mending import mend_notes, mend_programs
from .mends import Mend, Mends
from .meta_events import mend_meta
from .note_arrays import NoteArrays, gather_notes
from .plain import LONG_AGO, plain_tracks, with_keys_released
from .refusals import RefusedFile
from .tempo import DEFAULT_MICROSECONDS_PER_QUARTER
from .unwrapping import unwrap

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """
    What a file holds.

    Args:
        score ([`symusic.Score`]): its music, in ticks.
        notes ([`NoteArrays`]): those of the score.
        data (`bytes`): a standard MIDI file that any reader reads as this one: the very bytes, where nothing had to be
            mended.
        mends (`list[Mend]`): what was mended.
    """

    score: ScoreTick
    notes: NoteArrays
    data: bytes
    mends: list[Mend]


def read_midi(data: bytes, limits: SanityLimits | None = None) -> Reading:
    """
    Reads a MIDI file as players do, and counts what they would take in their stride.

    Args:
        data (`bytes`): the file, also in RIFF, zip or gzip, or with other bytes before it.
        limits ([`SanityLimits`], *optional*): bounds of sizes, lengths and tempos, and whether damage is mended.

    Returns:
        [`Reading`]

    Raises:
        [`RefusedFile`]: it holds no music that can be read. Reasons: `empty_file`, `too_large`, `not_midi`,
            `several_files`, `unreadable`, `bad_time_division`, `independent_sequences`, `too_long`, `too_many_notes`,
            `too_many_bars`, `too_many_tracks`, `too_many_meters`, `too_many_events`; where nothing may be mended also
            `tempo_out_of_range` and `bad_time_signature`.
    """
    limits = limits or SanityLimits()
    mends = Mends(limits.mend)
    data = unwrap(data, mends, limits)
    check_bytes(data, limits)
    music = _read_plain(data, limits)
    if music is None:
        data = _read_patiently(data, mends, limits)
        score = _parse(data)
        music = score, gather_notes(score)
    check_extent(*music, limits)
    return Reading(*music, data, mends.found())


def read_unreported(data: bytes, name: str, limits: SanityLimits | None = None) -> ScoreTick:
    """
    The score of a file that no report names: its mends are logged once, and its refusal has the name.

    Args:
        data (`bytes`): the file.
        name (`str`): of the file.
        limits ([`SanityLimits`], *optional*): as of [`read_midi`].

    Raises:
        [`RefusedFile`]: as of [`read_midi`].
    """
    try:
        reading = read_midi(data, limits)
    except RefusedFile as refused:
        raise RefusedFile(refused.reason, refused.detail, name) from refused
    tell_mends(name, tuple(reading.mends))
    return reading.score


def _read_plain(data: bytes, limits: SanityLimits) -> tuple[ScoreTick, NoteArrays] | None:
    """The score of a file in which nothing can be odd."""
    tracks = plain_tracks(data, limits)
    if tracks is None:
        return None
    score = _parse(with_keys_released(data, tracks))
    notes = gather_notes(score)
    shortest, longest = notes.duration.min(initial=1), int(notes.duration.max(initial=1))
    return (score, notes) if shortest > 0 and not _may_be_stuck(longest, score, limits) else None


def _may_be_stuck(ticks: int, score: ScoreTick, limits: SanityLimits) -> bool:
    """Whether a note of this length, at the slowest tempo, is beyond the limits, or never ends."""
    quarters = ticks / score.tpq
    if ticks >= LONG_AGO or exceeds(quarters, limits.max_note_quarters):
        return True
    slowest = score.tempos.numpy()["mspq"].max(initial=DEFAULT_MICROSECONDS_PER_QUARTER)
    return exceeds(quarters * float(slowest) / 1e6, limits.max_note_seconds)


def _read_patiently(data: bytes, mends: Mends, limits: SanityLimits) -> bytes:
    """The file, read event by event: the very bytes where nothing had to be mended."""
    file = read_events(data, mends)
    file = mend_meta(file, mends, limits)
    file = mend_notes(file, mends, limits)
    file = mend_programs(file, mends)
    return file.to_bytes() if mends else data


def _parse(data: bytes) -> ScoreTick:
    try:
        return ScoreTick.from_midi(data)
    except (RuntimeError, ValueError, IndexError, OverflowError, MemoryError) as error:
        raise RefusedFile("unreadable", str(error).replace(": iostream error", "")) from error


@lru_cache(maxsize=1024)
def tell_mends(name: str, mends: tuple[Mend, ...]) -> None:
    """Says once what was mended in a piece that no report names."""
    if mends:
        logger.warning("Mended %s: %s", name, "; ".join(map(str, mends)))
