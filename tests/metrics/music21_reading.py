"""How music21 8.3 reads MIDI, in plain Python: what the golden numbers were counted on."""

from fractions import Fraction

from symusic import Note, Score, TimeSignature, Track
from symusic.core import ScoreTick

DIVISORS = (4, 3)
READING_TPQ = 12
"""Holds quarters and thirds of a quarter note, and what is left of them at a bar line."""


def read_as_music21(score: ScoreTick, bars: list[int]) -> Score:
    """
    The score that music21 makes of a MIDI file, at 12 ticks per quarter note.

    Notes of a track that begin and end within a quarter of a quarter note of each other become a chord; onsets and
    durations go to the nearest quarter or third of a quarter note; notes that cross a bar line become tied notes.

    Args:
        score ([`symusic.Score`]): the file, without drums on a track of another instrument.
        bars (`list[int]`): ticks of `score` at which bars begin.
    """
    lines = [Fraction(bar, score.tpq) for bar in bars]
    reading = Score(READING_TPQ)
    for signature in score.time_signatures:
        time = signature.time * READING_TPQ // score.tpq
        reading.time_signatures.append(TimeSignature(time, signature.numerator, signature.denominator))
    for track in score.tracks:
        for onset, duration, pitches in _quantize(_find_chords(track, score.tpq)):
            chord = Track(program=track.program, is_drum=track.is_drum)
            for start, end in _split(onset, onset + duration, lines):
                for pitch in pitches:
                    chord.notes.append(Note(int(start * READING_TPQ), int((end - start) * READING_TPQ), pitch, 64))
            reading.tracks.append(chord)
    return reading


def _find_chords(track, tpq: int) -> list[tuple]:
    """Onset, duration (both in quarter notes) and pitches of notes and chords. A note can be in two chords."""
    notes = [(Fraction(n.time, tpq), Fraction(n.end, tpq), n.pitch) for n in track.notes]
    chords, gathered = [], set()
    for index, (onset, end, pitch) in enumerate(notes):
        if index in gathered:
            continue
        length, pitches = end - onset, [pitch]
        for later in range(index + 1, len(notes)):
            later_onset, later_end, later_pitch = notes[later]
            if later_onset - onset >= Fraction(1, max(DIVISORS)):
                break
            if abs(later_end - end) <= Fraction(1, max(DIVISORS)):
                gathered.add(later)
                length = later_end - later_onset
                pitches.append(later_pitch)
        chords.append((onset, length, pitches))
    return chords


def _quantize(chords: list[tuple]) -> list[tuple]:
    quantized = []
    for index, (onset, length, pitches) in enumerate(chords):
        _, onset, _ = _nearest(onset, DIVISORS)
        _, duration, _ = _nearest(length, DIVISORS)
        if index + 1 < len(chords):
            _, next_onset, divisor = _nearest(chords[index + 1][0], DIVISORS)
            if 0 < float(next_onset) - (float(onset) + float(duration)) < 1 / max(DIVISORS):
                _, duration, _ = _nearest(length, (divisor,))
        quantized.append((onset, duration or Fraction(1, max(DIVISORS)), pitches))
    return quantized


def _nearest(time: Fraction, divisors: tuple) -> tuple:
    """Error, multiple and divisor of the nearest multiple of a quarter note's part; the finer part where two are."""
    found = []
    for divisor in divisors:
        low = Fraction(time * divisor // 1, divisor)
        multiple = low if time - low <= Fraction(1, 2 * divisor) else low + Fraction(1, divisor)
        found.append((abs(time - multiple), multiple, divisor))
    return min(found, key=lambda match: (match[0], -match[2]))


def _split(start: Fraction, end: Fraction, lines: list[Fraction]) -> list[tuple]:
    cuts = [start, *(line for line in lines if start < line < end), end]
    return list(zip(cuts[:-1], cuts[1:], strict=True))
