"""The peer of features.py: the same features by music21 alone, file by file; nothing of ours is imported."""

import argparse
import warnings
from collections import Counter
from pathlib import Path

from measuring import Stopwatch, answer_task
from music21 import analysis, chord, midi, roman, stream

DRUM_CHANNEL = 10
NUM_CHORD_PITCHES = 4


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True, help="arguments of run_task as a JSON object")
    answer_task(run_task, parser.parse_args().task)


def run_task(excerpts: list[str], whole: list[str]) -> dict:
    """All features of excerpts, and harmony alone of whole pieces. The first excerpt is read once before."""
    warnings.simplefilter("ignore")
    all_features(excerpts[0])  # music21 fills tables of its own at first
    watch = Stopwatch()
    for path in excerpts:
        all_features(path)
    excerpt_lap = watch.lap()
    bars = sum(len(harmonic_reduction(read(path))) for path in whole)
    return {"excerpts": excerpt_lap, "whole": watch.lap(), "bars": bars}


def all_features(path: str):
    score = read(path)
    analysis.pitchAnalysis.pitchAttributeCount(score, "name")
    Counter(note.quarterLength for note in score.flatten().notes)
    harmonic_reduction(score)


def read(path: str) -> stream.Score:
    file = midi.MidiFile()
    file.readstr(Path(path).read_bytes())
    for track in file.tracks:
        track.events = [event for event in track.events if event.channel != DRUM_CHANNEL]
    return midi.translate.midiFileToStream(file)


def harmonic_reduction(score: stream.Score) -> list[str]:
    chords = score.chordify()
    key = chords.analyze("key")
    return [numeral(measure, key) for measure in chords.getElementsByClass(stream.Measure)]


def numeral(measure: stream.Measure, key) -> str:
    lengths = Counter()
    for sounding in measure.recurse().getElementsByClass(chord.Chord):
        for pitch in sounding.pitches:
            lengths[pitch.nameWithOctave] += sounding.quarterLength
    if not lengths:
        return "-"
    longest = sorted(lengths, key=lengths.__getitem__)[-NUM_CHORD_PITCHES:]
    named = roman.romanNumeralFromChord(chord.Chord(longest), key)
    inversion = named.inversion()
    seventh = named.seventh is not None or named.isSeventh()
    inverted = (named.isTriad() and inversion < 3) or (seventh and inversion < 4)
    return named.romanNumeral + (str(named.inversionName()) if inverted else "")


if __name__ == "__main__":
    main()
