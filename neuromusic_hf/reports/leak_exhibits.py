"""Twins on two sides, to look at and to listen to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from symusic.core import ScoreTick

from ..corpora import Corpus
from ..music import TempoMap, excerpt, gather_notes, load_score, midi_bytes
from ..rendering import RELEASE_SECONDS, Passage, plot_passages, render_audio
from ..twins import melody_of, shared_melody
from .leak_records import LeakedPair, LeakedPiece
from .shareable import without_paths
from .showcase import write_wav
from .templates import png

MOST_SECONDS = 10.0
"""Of the sound of one passage."""
LAST_NOTE_SECONDS = 1.0
"""Room for the last note to sound."""
PAUSE_SECONDS = 0.3
SAMPLE_RATE = 16000
"""Samples a second: twelve pairs take 8 MB, 11 as text in a page."""


@dataclass(frozen=True)
class LeakExhibit:
    """
    A pair to show: the same passage of both pieces.

    Args:
        pair ([`LeakedPair`]): which.
        picture (`bytes`): both passages as piano rolls, PNG.
        midi (`tuple[bytes, bytes]`): both passages.
        boundary (`float`): where the second one begins in the sound, in seconds.
        sound (`bytes`, *optional*): one passage after the other, WAV of 16 bits, mono; `None` where there is none.
        silence (`str`, *optional*): why it could not be rendered.
    """

    pair: LeakedPair
    picture: bytes
    midi: tuple[bytes, bytes]
    boundary: float = 0.0
    sound: bytes | None = None
    silence: str | None = None


def choose_pairs(pairs: Sequence[LeakedPair], count: int) -> list[LeakedPair]:
    """Those to show: of each family the pair that comes first, until there are enough; they must share a passage."""
    firsts: dict[int, LeakedPair] = {}
    for pair in pairs:
        if pair.first.ticks is not None:
            firsts.setdefault(pair.family, pair)
    return list(firsts.values())[:count]


def make_leak_exhibit(
    pair: LeakedPair, corpus: Corpus, against: Corpus | None = None, audio: bool = False
) -> LeakExhibit:
    """
    Cuts the passage out of both pieces that shares most notes, 10 s of each at most, and draws and renders it.

    Args:
        pair ([`LeakedPair`]): of a report.
        corpus ([`Corpus`]): that was reported.
        against ([`Corpus`], *optional*): the other one, where there is one.
        audio (`bool`, *optional*, defaults to `False`): render the sound too.

    Raises:
        `ValueError`: the pieces are no twins: the corpus is another one.
    """
    scores = [_read(pair.first, corpus), _read(pair.second, against or corpus)]
    shared = shared_melody(*map(melody_of, scores))
    if shared is None or (int(shared.first[:, 0].min()), int(shared.first[:, 0].max())) != pair.first.ticks:
        raise ValueError(f"{pair.first.label} and {pair.second.label} share no melody: give the corpus of the report.")
    chosen = _longest_passage(scores, (shared.first, shared.second))
    first = _cut(scores[0], shared.first[chosen], f"{pair.first.split}: {pair.first.label}")
    second = _cut(scores[1], shared.second[chosen], f"{pair.second.split}: {pair.second.label}")
    picture = png(plot_passages(first, second, shared.transposition))
    exhibit = LeakExhibit(pair, picture, (midi_bytes(first.score), midi_bytes(second.score)))
    return _with_sound(exhibit, first, second) if audio else exhibit


def _with_sound(exhibit: LeakExhibit, first: Passage, second: Passage) -> LeakExhibit:
    try:
        one, other = (render_audio(each.score, sample_rate=SAMPLE_RATE).mean(axis=0) for each in (first, second))
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        return replace(exhibit, silence=without_paths(str(error)))
    pause = np.zeros(round(PAUSE_SECONDS * SAMPLE_RATE), one.dtype)
    sound = write_wav(np.concatenate([one, pause, other]), SAMPLE_RATE)
    return replace(exhibit, sound=sound, boundary=(len(one) + len(pause)) / SAMPLE_RATE)


def _read(piece: LeakedPiece, corpus: Corpus) -> ScoreTick:
    return load_score(corpus[piece.split][piece.row]["midi"])


def _longest_passage(scores: list[ScoreTick], shared: tuple[np.ndarray, np.ndarray]) -> slice:
    """The notes, of those that are shared, of the passage with most of them that is short enough in both pieces."""
    seconds = [TempoMap.of(score).to_seconds(notes[:, 0]) for score, notes in zip(scores, shared, strict=True)]
    room, best, start = MOST_SECONDS - RELEASE_SECONDS - LAST_NOTE_SECONDS, slice(0, 1), 0
    for end in range(len(shared[0])):
        while any(onsets[end] - onsets[start] > room for onsets in seconds):
            start += 1
        if end + 1 - start > best.stop - best.start:
            best = slice(start, end + 1)
    return best


def _cut(score: ScoreTick, shared: np.ndarray, title: str) -> Passage:
    """The music from the first of the shared notes to the end of the last, no longer than there is room for."""
    start, last = int(shared[:, 0].min()), int(shared[:, 0].max())
    clock = TempoMap.of(score)
    end = int(clock.to_ticks(clock.to_seconds(start) + MOST_SECONDS - RELEASE_SECONDS))
    part = excerpt(score, start, last + 1)
    for track in part.tracks:
        for note in track.notes:
            note.duration = max(1, min(note.duration, end - start - note.time))
    return Passage(part, _with_repeats(part, shared - (start, 0)), title)


def _with_repeats(score: ScoreTick, shared: np.ndarray) -> np.ndarray:
    """The shared notes, and those that repeat one of them before the next: a melody holds them once."""
    notes = gather_notes(score, drums=False)
    before = np.searchsorted(shared[:, 0], notes.onset, side="right") - 1
    repeats = (before >= 0) & (shared[before, 1] == notes.pitch)
    return np.concatenate([shared, np.stack([notes.onset[repeats], notes.pitch[repeats]], axis=1)])
