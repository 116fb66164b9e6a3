"""Note F1 against a naive count, and what it is where there is nothing to match."""

from itertools import combinations

import numpy as np
import pytest
from music import make_score
from symusic import Note, Score, Track

from neuromusic_hf.metrics import note_f1


def passage(*notes, program: int = 0, is_drum: bool = False, tpq: int = 480) -> Score:
    """A score of one track of (onset, duration, pitch), times in quarter notes."""
    score = Score(tpq)
    score.tracks.append(Track("", program, is_drum))
    score.tracks[0].notes.extend(Note(round(on * tpq), round(length * tpq), pitch, 64) for on, length, pitch in notes)
    return score


def notes_of(score: Score) -> list[tuple]:
    return [
        (-1 if track.is_drum else track.program, note.pitch, note.time / score.tpq, note.end / score.tpq)
        for track in score.tracks
        for note in track.notes
    ]


def naive_f1(reference: Score, estimate: Score, offsets: bool) -> float:
    """By trying, for each note of the one, each of the other: the most pairs of which no two share a note."""
    first, second = notes_of(reference), notes_of(estimate)

    def agree(one, other):
        together = one[:2] == other[:2] and abs(one[2] - other[2]) <= 0.125
        close = abs(one[3] - other[3]) <= max(0.2 * (one[3] - one[2]), 0.125)
        return together and (close or not offsets or one[0] == -1)

    partner: dict[int, int] = {}

    def place(index, tried):
        for other, note in enumerate(second):
            if other not in tried and agree(first[index], note):
                tried.add(other)
                if other not in partner or place(partner[other], tried):
                    partner[other] = index
                    return True
        return False

    matched = sum(place(index, set()) for index in range(len(first)))
    return 2 * matched / (len(first) + len(second))


def shaken(score: Score, seed: int) -> Score:
    """With notes a little off, and some left out, in other ticks."""
    random = np.random.default_rng(seed)
    other = score.resample(960)
    for track in other.tracks:
        kept = random.random(len(track.notes)) < 0.8
        for note in track.notes:
            note.time = max(0, note.time + int(random.integers(-150, 150)))
            note.duration = max(1, note.duration + int(random.integers(-150, 150)))
        track.notes = [note for note, keep in zip(track.notes, kept, strict=True) if keep]
    return other


@pytest.mark.parametrize("offsets", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_it_counts_as_a_naive_matching_does(seed, offsets):
    reference = make_score(seed)
    reference.tracks.append(passage((0, 1, 36), (1, 1, 36), (1.0625, 1, 36), is_drum=True).tracks[0])
    estimate = shaken(reference, seed)
    found = note_f1(reference, estimate, offsets=offsets)
    assert found == pytest.approx(naive_f1(reference, estimate, offsets)) and 0.2 < found < 0.95


def test_a_passage_is_itself_in_any_ticks_and_the_measure_has_no_side():
    scores = [make_score(seed) for seed in range(3)]
    for offsets in (False, True):
        assert all(note_f1(score, score.resample(960), offsets=offsets) == 1 for score in scores)
    for one, other in combinations(scores, 2):
        assert note_f1(one, other) == note_f1(other, one)


def test_nothing_against_nothing_is_one_and_against_something_none():
    nothing, something = passage(), passage((0, 1, 60))
    assert note_f1(nothing, nothing) == note_f1(Score(480), nothing) == 1
    assert note_f1(nothing, something) == note_f1(something, nothing) == 0


def test_program_pitch_and_time_must_agree():
    reference = passage((0, 1, 60), (1, 1, 62))
    assert note_f1(reference, passage((0, 1, 60), (1, 1, 62), program=1)) == 0
    assert note_f1(reference, passage((0, 1, 60), (1, 1, 62), is_drum=True)) == 0
    assert note_f1(reference, passage((0, 1, 61), (1, 1, 62))) == 0.5
    assert note_f1(reference, passage((0.125, 1, 60), (1, 1, 62))) == 1
    assert note_f1(reference, passage((0.25, 1, 60), (1, 1, 62))) == 0.5
    assert note_f1(reference, passage((0.25, 1, 60), (1, 1, 62)), tolerance=0.25) == 1
    assert note_f1(reference, passage((0, 2, 60), (1, 1, 62)), offsets=True) == 0.5


def test_a_note_is_matched_once_and_drums_have_no_ends():
    assert note_f1(passage((0, 1, 60)), passage((0, 1, 60), (0.05, 1, 60))) == pytest.approx(2 / 3)
    short, long = passage((0, 0.1, 36), is_drum=True), passage((0, 4, 36), is_drum=True)
    assert note_f1(short, long, offsets=True) == 1
    assert note_f1(passage((0, 0, 60)), passage((0, 0, 60)), offsets=True) == 1


def test_a_tolerance_of_nothing_is_refused():
    with pytest.raises(ValueError, match="tolerance=0"):
        note_f1(passage(), passage(), tolerance=0)
