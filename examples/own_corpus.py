"""
A corpus of your own, read from wherever your music is: here exercises that are written on the spot.

    python examples/own_corpus.py

It prints the sizes of the three splits, and the columns of the first piece.
"""

from collections.abc import Iterator

from datasets import Value
from symusic import Note, Score, Tempo, Track

from neuromusic_hf import load_corpus
from neuromusic_hf.corpora import MidiCorpusBuilder, Piece
from neuromusic_hf.music import midi_bytes

MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "whole tone": (0, 2, 4, 6, 8, 10),
}


class Exercises(MidiCorpusBuilder):
    """Scales in which each note is followed by the one so many degrees above."""

    METADATA = {"mode": Value("string"), "leap": Value("int32")}
    SPLIT_SHARES = (0.6, 0.2, 0.2)

    def list_pieces(self) -> list[tuple[str, int]]:
        """Whatever tells the pieces apart, in a fixed order: here mode and leap."""
        return [(mode, leap) for mode in MODES for leap in range(1, 13)]

    def read_pieces(self, pieces: list[tuple[str, int]]) -> Iterator[Piece]:
        """One `Piece` each: a name for reports, the bytes of a MIDI file, and values for the columns of METADATA."""
        for mode, leap in pieces:
            data = midi_bytes(write_exercise(mode, leap))
            yield Piece(f"{mode}, leaps of {leap}", data, metadata={"mode": mode, "leap": leap})


def write_exercise(mode: str, leap: int) -> Score:
    """Two octaves up and down in quarter notes, three times."""
    up = [degree for low in range(15) for degree in (low, low + leap)]
    pitches = [pitch_of(mode, degree) for degree in 3 * (up + up[::-1])]
    score = Score(480)
    score.tempos.append(Tempo(0, 120))
    score.tracks.append(Track(notes=[Note(480 * beat, 480, pitch, 80) for beat, pitch in enumerate(pitches)]))
    return score


def pitch_of(mode: str, degree: int) -> int:
    octave, step = divmod(degree, len(MODES[mode]))
    return 48 + 12 * octave + MODES[mode][step]


def main():
    corpus = load_corpus(Exercises)
    print({split: len(pieces) for split, pieces in corpus.items()})
    row = corpus["train"][0]
    print({name: value for name, value in row.items() if name not in ("midi", "content_hash")})


if __name__ == "__main__":
    main()
