"""Pitch classes and durations: what is counted, in which unit, and what is not."""

import pickle
from collections import Counter

import numpy as np
import pytest
from music import make_score
from symusic import Note, Score, Tempo, Track

from neuromusic_hf.metrics import (
    DURATION_GRID,
    duration_counts,
    duration_distribution,
    pitch_class_counts,
    pitch_class_distribution,
)
from neuromusic_hf.music import RefusedFile

DISTRIBUTIONS = [pitch_class_distribution, duration_distribution]


def build(*tracks, tpq: int = 480, drums: tuple = ()) -> Score:
    """A score of tracks of (onset, duration, pitch), times in quarter notes."""
    score = Score(tpq)
    for index, notes in enumerate(tracks):
        track = Track(is_drum=index in drums)
        for onset, duration, pitch in notes:
            track.notes.append(Note(round(onset * tpq), round(duration * tpq), pitch, 64))
        score.tracks.append(track)
    return score


def durations_of(score: Score) -> dict[float, float]:
    """Quarter notes to how often."""
    counts = duration_counts(score)
    return {DURATION_GRID[step]: counts[step] for step in counts.nonzero()[0]}


def test_pitch_classes_are_counted_over_all_tracks():
    score = make_score(0)
    expected = Counter(note.pitch % 12 for track in score.tracks for note in track.notes)
    assert pitch_class_counts(score).tolist() == [expected[pitch_class] for pitch_class in range(12)]


def test_pitch_classes_are_weighted_by_quarter_notes():
    score = build([(0, 2, 60), (2, 1, 72)], [(0, 0.5, 67)])
    counts = pitch_class_counts(score, weight="duration")
    assert counts.nonzero()[0].tolist() == [0, 7] and counts[[0, 7]].tolist() == [3, 0.5]
    with pytest.raises(ValueError, match="'count' or 'duration'"):
        pitch_class_counts(score, weight="velocity")


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_shares_sum_to_one_and_depend_on_neither_drums_nor_tempo_nor_resolution(distribution):
    score = make_score(1)
    shares = distribution(score)
    assert shares.sum() == pytest.approx(1) and (shares >= 0).all()
    other = score.resample(960)
    other.tempos = [Tempo(0, 33.0)]
    other.tracks.append(build([(0, 3, 36)] * 50, tpq=960, drums=(0,)).tracks[0])
    assert np.array_equal(distribution(other), shares)


def test_transposition_rotates_pitch_classes():
    score = make_score(2)
    assert np.array_equal(pitch_class_counts(score.shift_pitch(5)), np.roll(pitch_class_counts(score), 5))


@pytest.mark.parametrize("tpq", [96, 384, 480])
@pytest.mark.parametrize("duration", [1 / 8, 1 / 6, 1 / 4, 1 / 3, 3 / 8, 1 / 2, 2 / 3, 1, 4 / 3, 3, 16])
def test_the_grid_holds_binary_and_triplet_durations(tpq, duration):
    counts = duration_counts(build([(1, duration, 60)], tpq=tpq))
    assert counts.sum() == 1 and DURATION_GRID[counts.argmax()] == pytest.approx(duration)


def test_durations_go_to_the_nearest_step():
    assert durations_of(build([(0, 0.99, 60), (1, 1.01, 60)])) == {1: 2}
    assert durations_of(build([(0, 0, 60), (1, 0.01, 60)])) == {DURATION_GRID[0]: 2}
    assert durations_of(build([(0, 16.5, 60), (20, 400, 60)])) == {16: 2}


def test_a_chord_counts_once_in_each_track():
    chord = [(0, 1, 60), (0, 1, 64), (0.01, 1, 67)]
    assert durations_of(build(chord)) == {1: 1}
    assert durations_of(build(chord, chord)) == {1: 2}
    assert durations_of(build([(0, 1, 60), (0, 2, 64), (1, 1, 60)])) == {1: 2, 2: 1}


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_piece_without_pitched_notes_says_why_it_has_no_feature(distribution):
    for score, reason in (
        (build(), "no_notes"),
        (build([]), "no_notes"),
        (build([(0, 1, 36)], [], drums=(0,)), "drums_only"),
    ):
        with pytest.raises(RefusedFile) as error:
            distribution(score)
        assert error.value.reason == reason and error.value.detail
        assert pickle.loads(pickle.dumps(error.value)).reason == reason  # as it comes from another process


def test_notes_without_length_count_but_have_no_duration():
    silent = build([(0, 0, 60), (1, 0, 62)])
    assert pitch_class_counts(silent).sum() == 2
    with pytest.raises(RefusedFile, match="no_sound"):
        pitch_class_counts(silent, weight="duration")
