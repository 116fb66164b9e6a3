"""The peer of bach_reader.py: MusicXML to MIDI by music21 alone, file by file; nothing of ours is imported."""

import argparse
import hashlib
import warnings

from measuring import Stopwatch, answer_task
from music21 import converter
from music21.midi.translate import music21ObjectToMidiFile


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True, help="arguments of run_task as a JSON object")
    answer_task(run_task, parser.parse_args().task)


def run_task(corpus: str, works: list[str], max_pieces: int | None) -> dict:
    """Converts works, all that are given; digests tell whether others write the same."""
    warnings.simplefilter("ignore")
    watch = Stopwatch()
    files = [convert(path) for path in works]
    return {"reading": watch.lap(), "digests": [hashlib.sha256(data).hexdigest() for data in files]}


def convert(path: str) -> bytes:
    """Chord symbols, which music21 plays as chords without end, are taken out."""
    score = converter.parse(path, forceSource=True, storePickle=False)
    score.remove(list(score.recurse().getElementsByClass("Harmony")), recurse=True)
    return music21ObjectToMidiFile(score).writestr()


if __name__ == "__main__":
    main()
