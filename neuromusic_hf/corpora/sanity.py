"""Sanity checks: one parse of one MIDI file gives its facts, or the reason why it is refused."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import symusic
from miditok.constants import MIDI_INSTRUMENTS

from ..music import DEFAULT_MICROSECONDS_PER_QUARTER, RefusedFile, SanityLimits, to_seconds
from ..music.limits import exceeds
from ..music.unwrapping import check_size, unwrap_riff

GRID_PER_QUARTER = 24


@dataclass(frozen=True)
class PieceFacts:
    """What a row says about an accepted file.

    Args:
        data (`bytes`): the standard MIDI file (out of its RIFF wrapping, if it had one).
        duration (`float`): seconds from the start of the file to the end of the last note.
        num_notes (`int`): notes in all tracks.
        instruments (`list[str]`): sorted General MIDI names of the tracks with notes; drums are `"Drums"`.
        content_hash (`str`): 32 hexadecimal digits, see [`hash_notes`].
    """

    data: bytes
    duration: float
    num_notes: int
    instruments: list[str]
    content_hash: str


@dataclass(frozen=True)
class _Notes:
    """All notes of a score, as arrays of the same length. Times are in ticks."""

    onset: np.ndarray
    duration: np.ndarray
    pitch: np.ndarray
    drum: np.ndarray


def inspect_midi(data: bytes, limits: SanityLimits | None = None) -> PieceFacts:
    """Parse one MIDI file, once, and check it.

    Args:
        data (`bytes`):
            The file.
        limits ([`SanityLimits`], *optional*):
            Defaults to `SanityLimits()`.

    Returns:
        [`PieceFacts`]

    Raises:
        RefusedFile: if the bytes are not a readable MIDI file or break a limit. Reasons: `empty_file`, `too_large`,
            `not_midi`, `unreadable`, `bad_time_division`, `bad_time_signature`, `no_notes`, `too_few_notes`,
            `too_many_notes`, `drums_only`, `bad_durations`, `tempo_out_of_range`, `too_short`, `too_long`,
            `note_too_long`.
    """
    limits = limits or SanityLimits()
    if not data:
        raise RefusedFile("empty_file", "0 bytes")
    check_size(len(data), limits)
    data = unwrap_riff(data)
    if not data.startswith(b"MThd"):
        raise RefusedFile("not_midi", f"starts with {data[:8]!r}, not 'MThd': {_looks_like(data)}")
    score = _parse(data)
    notes = _gather(score)
    _check_counts(notes, limits)
    tempo_ticks, microseconds = _tempo_map(score, limits)
    _check_durations(notes, score.tpq, limits)
    ends = notes.onset + np.maximum(notes.duration, 0)
    onset_seconds, end_seconds, last_event = (
        to_seconds(ticks, tempo_ticks, microseconds, score.tpq)
        for ticks in (notes.onset, ends, np.array([score.end()], dtype=np.int64))
    )
    duration = float(end_seconds.max())
    _check_seconds(duration, float(max(last_event[0], duration)), end_seconds - onset_seconds, limits)
    return PieceFacts(data, duration, len(notes.pitch), _instruments(score), _hash(notes, score.tpq))


def hash_notes(onset: np.ndarray, pitch: np.ndarray, drum: np.ndarray, tpq: int) -> str:
    """Hash the music, whatever the file: its notes as a set of (onset, pitch, drum or not).

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
    grid = (2 * GRID_PER_QUARTER * shifted + tpq) // (2 * tpq)
    key = np.unique(grid * 256 + drum.astype(np.int64) * 128 + pitch.astype(np.int64))
    return hashlib.blake2b(key.astype("<i8").tobytes(), digest_size=16).hexdigest()


def _hash(notes: _Notes, tpq: int) -> str:
    return hash_notes(notes.onset, notes.pitch, notes.drum, tpq)


def _parse(data: bytes) -> symusic.Score:
    try:
        score = symusic.Score.from_midi(data)
    except (RuntimeError, ValueError, IndexError, OverflowError, MemoryError) as error:
        raise RefusedFile("unreadable", str(error).replace(": iostream error", "")) from error
    if score.tpq <= 0:
        raise RefusedFile("bad_time_division", f"{score.tpq} ticks per quarter note")
    for signature in score.time_signatures:
        if signature.numerator < 1 or signature.denominator < 1:
            raise RefusedFile(
                "bad_time_signature", f"{signature.numerator}/{signature.denominator} at tick {signature.time}"
            )
    return score


def _gather(score: symusic.Score) -> _Notes:
    tracks = [(track.notes.numpy(), track.is_drum) for track in score.tracks if len(track.notes)]
    if not tracks:
        raise RefusedFile("no_notes", f"{len(score.tracks)} tracks without a note")
    onset, duration, pitch = (
        np.concatenate([notes[name] for notes, _ in tracks]).astype(np.int64) for name in ("time", "duration", "pitch")
    )
    drum = np.concatenate([np.full(len(notes["time"]), is_drum) for notes, is_drum in tracks])
    return _Notes(onset, duration, pitch, drum)


def _tempo_map(score: symusic.Score, limits: SanityLimits) -> tuple[np.ndarray, np.ndarray]:
    """Ticks and microseconds per quarter note of the tempo changes, in order, from tick 0."""
    tempos = score.tempos.numpy()
    ticks, microseconds = tempos["time"].astype(np.int64), tempos["mspq"].astype(np.float64)
    for tick, value in zip(ticks, microseconds, strict=True):
        tempo = 60e6 / value if value > 0 else float("inf")
        if exceeds(limits.min_tempo, tempo) or exceeds(tempo, limits.max_tempo) or value <= 0:
            raise RefusedFile(
                "tempo_out_of_range",
                f"{tempo:g} quarter notes per minute at tick {tick}, limits {limits.min_tempo} to {limits.max_tempo}",
            )
    order = np.argsort(ticks, kind="stable")
    ticks, microseconds = ticks[order], microseconds[order]
    if len(ticks) == 0 or ticks[0] > 0:
        ticks = np.concatenate([[0], ticks])
        microseconds = np.concatenate([[DEFAULT_MICROSECONDS_PER_QUARTER], microseconds])
    return ticks, microseconds


def _check_counts(notes: _Notes, limits: SanityLimits) -> None:
    count = len(notes.pitch)
    if exceeds(limits.min_notes, count):
        raise RefusedFile("too_few_notes", f"{count} notes, at least {limits.min_notes} are asked for")
    if exceeds(count, limits.max_notes):
        raise RefusedFile("too_many_notes", f"{count} notes, limit {limits.max_notes}")
    if not limits.allow_drums_only and notes.drum.all():
        raise RefusedFile("drums_only", f"all {count} notes are on the drum channel")


def _check_durations(notes: _Notes, tpq: int, limits: SanityLimits) -> None:
    bad = int((notes.duration <= 0).sum())
    if exceeds(bad / len(notes.duration), limits.max_bad_durations):
        raise RefusedFile(
            "bad_durations",
            f"{bad} of {len(notes.duration)} notes have a zero or negative length, "
            f"limit is a share of {limits.max_bad_durations}",
        )
    longest = float(notes.duration.max()) / tpq
    if exceeds(longest, limits.max_note_quarters):
        raise RefusedFile("note_too_long", f"{longest:.1f} quarter notes, limit {limits.max_note_quarters}")


def _check_seconds(duration: float, length: float, note_seconds: np.ndarray, limits: SanityLimits) -> None:
    if exceeds(limits.min_seconds, duration):
        raise RefusedFile("too_short", f"{duration:.2f} s, at least {limits.min_seconds} s are asked for")
    if exceeds(length, limits.max_seconds):
        raise RefusedFile("too_long", f"{length:.0f} s, limit {limits.max_seconds} s")
    longest = float(note_seconds.max())
    if exceeds(longest, limits.max_note_seconds):
        raise RefusedFile("note_too_long", f"{longest:.1f} s, limit {limits.max_note_seconds} s")


def _instruments(score: symusic.Score) -> list[str]:
    names = {
        "Drums" if track.is_drum else MIDI_INSTRUMENTS[track.program]["name"]
        for track in score.tracks
        if len(track.notes)
    }
    return sorted(names)


SIGNATURES = (
    (b"\x00\x05\x16\x07", "an AppleDouble file (macOS resource fork)"),
    (b"SMF2CLIP", "a MIDI 2.0 clip file"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"CTMF", "a Creative CMF file"),
    (b"ID3", "an MP3 file"),
    (b"fLaC", "a FLAC file"),
    (b"OggS", "an Ogg file"),
    (b"FORM", "an IFF file"),
)


def _looks_like(data: bytes) -> str:
    head = data[:512]
    for signature, name in SIGNATURES:
        if head.startswith(signature):
            return f"looks like {name}"
    if b"MThd" in data[:4096]:
        return f"looks like a MIDI file after {data.index(b'MThd')} other bytes"
    if not any(head):
        return "looks like zero bytes"
    if b"<html" in head.lower() or b"<!doctype" in head.lower():
        return "looks like a web page saved as MIDI"
    printable = all(byte in b"\t\r\n\x0c" or 32 <= byte for byte in head)
    if printable and sum(byte < 128 for byte in head) > 0.7 * len(head):
        return "looks like text saved as MIDI"
    return "looks like no known format"
