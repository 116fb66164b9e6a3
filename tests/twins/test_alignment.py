"""What two pieces share is found note by note."""

import numpy as np
import pytest
from music import make_song

from neuromusic_hf.twins import NO_MELODY, melody_of, shared_melody
from neuromusic_hf.twins.alignment import ALIGNED_RUN, FEWEST_RUNS


def song(tune, semitones=0, late=0, **options):
    score = make_song(0, tune=tune, **options)
    for track in score.tracks:
        track.shift_pitch(semitones, inplace=True)
    return score.shift_time(late) if late else score


def intervals(notes):
    return np.diff(notes[:, 1]).tolist()


@pytest.mark.parametrize("semitones, late", [(0, 0), (5, 0), (-7, 1920)])
def test_the_notes_of_a_copy_are_paired_with_those_of_the_original(semitones, late):
    original, copy = song(1, harmony=2), song(1, semitones, late, harmony=3)
    shared = shared_melody(melody_of(original), melody_of(copy))
    assert shared.makes_twins and shared.transposition == semitones and shared.share == 1 and shared.density == 1
    assert shared.notes == len(shared.first) == len(shared.second) > 50
    assert (shared.second - shared.first == [late, semitones]).all()
    tune = {(note.time, note.pitch) for note in original.tracks[0].notes}
    assert set(map(tuple, shared.first.tolist())) <= tune
    assert (np.diff(shared.first[:, 0]) > 0).all()


def test_a_passage_ends_where_the_pieces_part():
    first, second = song(1, harmony=2), song(1, harmony=3)
    other = song(4)
    for score, place in ((first, 0), (second, 1)):
        kept = [note for note in score.tracks[0].notes if note.time < 8 * 1920]
        after = [note for note in other.tracks[0].notes if note.time >= 8 * 1920] if place else []
        score.tracks[0].notes = kept + after
    shared = shared_melody(melody_of(first), melody_of(second))
    assert shared.first.tolist() == shared.second.tolist() and shared.first[-1, 0] < 8 * 1920
    assert shared.makes_twins and intervals(shared.first) == intervals(shared.second)


def test_it_is_the_same_from_either_side():
    first, second = melody_of(song(1, harmony=2)), melody_of(song(1, 3, harmony=3))
    there, back = shared_melody(first, second), shared_melody(second, first)
    assert there.transposition == -back.transposition and there.telling == back.telling
    assert there.first.tolist() == back.second.tolist()


@pytest.mark.parametrize("other", range(2, 8))
def test_strangers_share_too_little(other):
    shared = shared_melody(melody_of(song(1, harmony=1)), melody_of(song(other, harmony=other)))
    assert shared is None or not shared.makes_twins


def test_what_has_no_runs_shares_nothing():
    short = make_song(0, bars=1)
    short.tracks = short.tracks[:1]
    short.tracks[0].notes = short.tracks[0].notes[: ALIGNED_RUN + FEWEST_RUNS - 1]
    for nothing in (NO_MELODY, melody_of(short)):
        assert shared_melody(nothing, melody_of(song(1))) is None
        assert shared_melody(nothing, nothing) is None
