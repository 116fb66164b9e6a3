"""Sanity checks: one reading of one MIDI file gives its facts, or the reason why it is refused."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from symusic.core import ScoreTick

from ..music import Mend, NoteArrays, RefusedFile, SanityLimits, TempoMap, nearest_steps, read_midi
from ..music.instruments import PROGRAM_NAMES
from ..music.limits import exceeds

HASHED_STEPS_PER_QUARTER = 24


@dataclass(frozen=True)
class PieceFacts:
    """
    What a row says about an accepted file, and its music.

    Args:
        score ([`symusic.Score`]): the music, in ticks.
        data (`bytes`): a standard MIDI file: the very bytes, where nothing was mended.
        duration (`float`): seconds from the start of the file to the end of the last note.
        num_notes (`int`): notes in all tracks.
        instruments (`list[str]`): sorted General MIDI names of the tracks with notes; drums are `"Drums"`.
        content_hash (`str`): 32 hexadecimal digits, see [`hash_notes`].
        mends (`list[Mend]`): what was mended.
    """

    score: ScoreTick
    data: bytes
    duration: float
    num_notes: int
    instruments: list[str]
    content_hash: str
    mends: list[Mend]


def inspect_midi(data: bytes, limits: SanityLimits | None = None) -> PieceFacts:
    """
    Reads one MIDI file, once, and checks it.

    Args:
        data (`bytes`): the file.
        limits ([`SanityLimits`], *optional*, defaults to `SanityLimits()`): what it may be.

    Raises:
        [`RefusedFile`]: the bytes are not a readable MIDI file or break a limit. Reasons: those of [`read_midi`], and
            `no_notes`, `too_few_notes`, `drums_only`, `bad_durations`, `tempo_out_of_range`, `too_short`,
            `note_too_long`.
    """
    limits = limits or SanityLimits()
    reading = read_midi(data, limits)
    score, notes = reading.score, reading.notes
    _check_counts(notes, len(score.tracks), limits)
    _check_tempos(score.tempos.numpy(), limits)
    ticks = np.stack([notes.onset, notes.onset + np.maximum(notes.duration, 0)])
    onsets, ends = TempoMap.of(score).to_seconds(ticks)
    duration = float(ends.max())
    if exceeds(limits.min_seconds, duration):
        raise RefusedFile("too_short", f"{duration:.2f} s, at least {limits.min_seconds} s are asked for")
    if not limits.mend:
        _check_durations(notes.duration, notes.duration / score.tpq, ends - onsets, limits)
    content_hash = hash_notes(notes.onset, notes.pitch, notes.is_drum, score.tpq)
    return PieceFacts(
        score, reading.data, duration, len(notes.pitch), _instruments(score), content_hash, reading.mends
    )


def hash_notes(onset: np.ndarray, pitch: np.ndarray, drum: np.ndarray, tpq: int) -> str:
    """
    Hashes the music, whatever the file: its notes as a set of (onset, pitch, drum or not).

    Onsets count from the first note on a grid of 24 to the quarter note. File name, texts, ticks per quarter, tempo,
    velocity, note length, program and track order do not matter, and a doubled note counts once.

    Args:
        onset (`np.ndarray` of shape `(notes,)`): integer ticks.
        pitch (`np.ndarray` of shape `(notes,)`): MIDI pitch, 0 to 127.
        drum (`np.ndarray` of shape `(notes,)`): whether the note is on a drum track.
        tpq (`int`): ticks per quarter note.

    Returns:
        `str`: 32 hexadecimal digits.
    """
    shifted = onset.astype(np.int64) - int(onset.min())
    steps = nearest_steps(shifted, tpq, HASHED_STEPS_PER_QUARTER)
    key = steps * 256 + drum.astype(np.int64) * 128 + pitch.astype(np.int64)
    key = np.sort(key, kind="stable")  # fast where much is in order
    once = key[np.diff(key, prepend=-1) != 0]
    return hashlib.blake2b(once.astype("<i8").tobytes(), digest_size=16).hexdigest()


def _check_counts(notes: NoteArrays, tracks: int, limits: SanityLimits) -> None:
    count = len(notes.pitch)
    if count == 0:
        raise RefusedFile("no_notes", f"{tracks} tracks without a note")
    if exceeds(limits.min_notes, count):
        raise RefusedFile("too_few_notes", f"{count} notes, at least {limits.min_notes} are asked for")
    if not limits.allow_drums_only and notes.is_drum.all():
        raise RefusedFile("drums_only", f"all {count} notes are on the drum channel")


def _check_tempos(tempos: dict[str, np.ndarray], limits: SanityLimits) -> None:
    for tick, microseconds in zip(tempos["time"].tolist(), tempos["mspq"].tolist(), strict=True):
        tempo = 60e6 / microseconds
        if exceeds(limits.min_tempo, tempo) or exceeds(tempo, limits.max_tempo):
            raise RefusedFile(
                "tempo_out_of_range",
                f"{tempo:g} quarter notes per minute at tick {tick}, limits {limits.min_tempo} to {limits.max_tempo}",
            )


def _check_durations(ticks: np.ndarray, quarters: np.ndarray, seconds: np.ndarray, limits: SanityLimits) -> None:
    """Of the notes, where they are not brought within the limits."""
    bad = int((ticks <= 0).sum())
    if exceeds(bad / len(ticks), limits.max_bad_durations):
        raise RefusedFile(
            "bad_durations",
            f"{bad} of {len(ticks)} notes have a zero or negative length, limit is a share of "
            f"{limits.max_bad_durations}",
        )
    for lengths, unit, limit in (
        (quarters, "quarter notes", limits.max_note_quarters),
        (seconds, "s", limits.max_note_seconds),
    ):
        if exceeds(longest := float(lengths.max()), limit):
            raise RefusedFile("note_too_long", f"{longest:.1f} {unit}, limit {limit}")


def _instruments(score: ScoreTick) -> list[str]:
    names = {"Drums" if track.is_drum else PROGRAM_NAMES[track.program] for track in score.tracks if len(track.notes)}
    return sorted(names)
