"""`read_midi`: the one way from the bytes of a file to a score."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache

import symusic
from symusic.core import ScoreTick

from .chunks import read_events
from .limits import SanityLimits
from .mending import mend_notes, mend_programs
from .mends import Mend, Mends
from .meta_events import mend_meta
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
        data (`bytes`): a standard MIDI file that any reader reads as this one: the very bytes, where nothing had to be
            mended.
        mends (`list[Mend]`): what was mended.
    """

    score: ScoreTick
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
            `several_files`, `unreadable`, `bad_time_division`, `independent_sequences`, `too_long`; where nothing may
            be mended also `tempo_out_of_range` and `bad_time_signature`.
    """
    limits = limits or SanityLimits()
    mends = Mends(limits.mend)
    data = unwrap(data, mends, limits)
    score = _read_plain(data, limits)
    if score is None:
        data, score = _read_patiently(data, mends, limits)
    return Reading(score, data, mends.found())


def _read_plain(data: bytes, limits: SanityLimits) -> ScoreTick | None:
    """The score of a file in which nothing can be odd."""
    tracks = plain_tracks(data, limits)
    if tracks is None:
        return None
    score = _parse(with_keys_released(data, tracks))
    longest = _longest_note(score, limits)
    for track in score.tracks:
        if len(track.notes):
            lengths = track.notes.numpy()["duration"]
            if lengths.min() <= 0 or lengths.max() > longest:
                return None
    return score


def _longest_note(score: ScoreTick, limits: SanityLimits) -> float:
    """In ticks: what the limits allow at the slowest tempo."""
    longest = [LONG_AGO - 1]
    if limits.max_note_quarters is not None:
        longest.append(limits.max_note_quarters * score.tpq)
    if limits.max_note_seconds is not None:
        slowest = score.tempos.numpy()["mspq"].max(initial=DEFAULT_MICROSECONDS_PER_QUARTER)
        longest.append(limits.max_note_seconds * 1e6 / slowest * score.tpq)
    return min(longest)


def _read_patiently(data: bytes, mends: Mends, limits: SanityLimits) -> tuple[bytes, ScoreTick]:
    """The file and its score, event by event: the very bytes where nothing had to be mended."""
    file = read_events(data, mends)
    file = mend_meta(file, mends, limits)
    file = mend_notes(file, mends, limits)
    file = mend_programs(file, mends)
    data = file.to_bytes() if mends else data
    return data, _parse(data)


def _parse(data: bytes) -> ScoreTick:
    try:
        return symusic.Score.from_midi(data)
    except (RuntimeError, ValueError, IndexError, OverflowError, MemoryError) as error:
        raise RefusedFile("unreadable", str(error).replace(": iostream error", "")) from error


@lru_cache(maxsize=1024)
def tell_mends(name: str, mends: tuple[Mend, ...]) -> None:
    """Say once what was mended in a piece that no report names."""
    if mends:
        logger.warning("Mended %s: %s", name, "; ".join(map(str, mends)))
