"""Harmonic reduction in plain Python, a tick at a time."""

from collections import defaultdict

import numpy as np
from symusic.core import ScoreTick

from neuromusic_hf.metrics.keys import Key
from neuromusic_hf.metrics.numerals import roman_numerals


def sounding_ticks(score: ScoreTick, bars: list[int]) -> list[dict[int, tuple[int, int]]]:
    """For each bar the pitches that sound in it: how many ticks, and from which tick."""
    sounding = defaultdict(set)
    for track in score.tracks:
        if not track.is_drum:
            for note in track.notes:
                sounding[note.pitch].update(range(note.time, note.end))
    found = []
    for start, end in zip(bars, [*bars[1:], float("inf")], strict=True):
        ticks = {pitch: [tick for tick in times if start <= tick < end] for pitch, times in sounding.items()}
        found.append({pitch: (len(times), min(times)) for pitch, times in ticks.items() if times})
    return found


def longest_pitches(ticks: dict[int, tuple[int, int]]) -> list[int]:
    """The four that sound longest, the longest last; of equals the later, then the higher."""
    return sorted(ticks, key=lambda pitch: (*ticks[pitch], pitch))[-4:]


def roman_numeral(key: Key, pitches: list[int]) -> str:
    """The numeral of one chord, by its MIDI pitches."""
    bass = min(pitches)
    above = sum({1 << (pitch - bass) % 12 for pitch in pitches})
    return roman_numerals(key, np.array([bass]), np.array([above]))[0]
