"""The harmony of a piece, bar by bar. Pure functions of a score."""

from dataclasses import dataclass

import numpy as np
from symusic.core import ScoreTick

from ..music import NoteArrays, RefusedFile, bar_starts
from .features import pitched_notes
from .keys import Key, best_key
from .numerals import NUM_CHORD_PITCHES, roman_numerals

EMPTY_BAR = "-"


@dataclass(frozen=True)
class _Spans:
    """When pitches sound. Spans of one pitch do not overlap, and come in order of time. Arrays of shape `(spans,)`."""

    start: np.ndarray
    end: np.ndarray
    pitch: np.ndarray


def find_key(score: ScoreTick) -> Key:
    """
    The key of a piece, by how long its pitches sound; two tracks in unison sound once.

    Args:
        score ([`symusic.Score`]): in ticks.

    Raises:
        `RefusedFile`: no pitch sounds: `no_notes`, `drums_only` or `no_sound`.
    """
    return _key_of(_sounding(pitched_notes(score)))


def harmonic_reduction(score: ScoreTick) -> list[str]:
    """
    A piece as one Roman numeral per bar, in its key: the chord of the four pitches that sound longest in the bar.

    Of pitches that sound equally long the later wins, then the higher. Octaves are different pitches; two tracks in
    unison sound once. Notes are cut at bar lines and stay where they are otherwise.

    Args:
        score ([`symusic.Score`]): in ticks.

    Returns:
        `list[str]`: from the first bar of the file to the last that sounds; `-` for an empty one.

    Raises:
        `RefusedFile`: no pitch sounds: `no_notes`, `drums_only` or `no_sound`.
    """
    spans = _sounding(pitched_notes(score))
    bars = bar_starts(score, int(spans.end.max()))
    bar, pitch = _longest_pitches(_cut(spans, bars))
    sounding, first = np.unique(bar, return_index=True)
    bass = np.minimum.reduceat(pitch, first)
    semitones = (pitch - np.repeat(bass, np.diff(first, append=len(bar)))) % 12
    above = np.bitwise_or.reduceat(1 << semitones, first)
    words = np.full(len(bars), EMPTY_BAR, dtype=object)
    words[sounding] = roman_numerals(_key_of(spans), bass, above)
    return words.tolist()


def _sounding(notes: NoteArrays) -> _Spans:
    """Joins notes of one pitch that overlap or touch."""
    order = np.lexsort((notes.onset, notes.pitch))
    start, pitch = notes.onset[order], notes.pitch[order]
    end = start + notes.duration[order]
    if not notes.duration.any():
        raise RefusedFile("no_sound", f"all {len(start)} notes have length 0")
    axis = pitch * (int(end.max()) + 1)  # one axis of time after the other, so that all pitches are joined at once
    latest = np.maximum.accumulate(axis + end)
    first = np.flatnonzero(np.concatenate([[True], (axis + start)[1:] > latest[:-1]]))
    last = np.concatenate([first[1:], [len(start)]]) - 1
    spans = _Spans(start[first], (latest - axis)[last], pitch[first])
    lasting = spans.end > spans.start
    return _Spans(spans.start[lasting], spans.end[lasting], spans.pitch[lasting])


def _key_of(spans: _Spans) -> Key:
    return best_key(np.bincount(spans.pitch % 12, weights=spans.end - spans.start, minlength=12))


@dataclass(frozen=True)
class _BarPitches:
    """The pitches of each bar, each once. Arrays of shape `(pitches of all bars,)`; times are in ticks."""

    bar: np.ndarray
    pitch: np.ndarray
    first: np.ndarray
    ticks: np.ndarray


def _cut(spans: _Spans, bars: np.ndarray) -> _BarPitches:
    """Cuts spans at the bar lines, and adds up what a pitch has in a bar."""
    first_bar = np.searchsorted(bars, spans.start, side="right") - 1
    num_bars = np.searchsorted(bars, spans.end, side="left") - first_bar
    part = np.repeat(np.arange(len(num_bars)), num_bars)
    bar = first_bar[part] + np.arange(len(part)) - np.repeat(np.cumsum(num_bars) - num_bars, num_bars)
    start = np.maximum(spans.start[part], bars[bar])
    end = np.minimum(spans.end[part], np.append(bars, spans.end.max())[bar + 1])
    order = np.argsort(bar * 128 + spans.pitch[part], kind="stable")
    bar, pitch = bar[order], spans.pitch[part][order]
    groups = np.flatnonzero(np.concatenate([[True], (np.diff(bar) != 0) | (np.diff(pitch) != 0)]))
    return _BarPitches(bar[groups], pitch[groups], start[order][groups], np.add.reduceat((end - start)[order], groups))


def _longest_pitches(found: _BarPitches) -> tuple[np.ndarray, np.ndarray]:
    """Bar and pitch of the four that sound longest in each bar, ordered by bar."""
    order = np.lexsort((found.pitch, found.first, found.ticks, found.bar))
    bar = found.bar[order]
    from_last = np.searchsorted(bar, bar, side="right") - 1 - np.arange(len(bar))
    chosen = order[from_last < NUM_CHORD_PITCHES]
    return found.bar[chosen], found.pitch[chosen]
