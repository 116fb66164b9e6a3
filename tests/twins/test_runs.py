"""Runs of melody are the same in every key, tempo and rhythm, and all sketches choose alike."""

import numpy as np
import pytest
from music import make_song

from neuromusic_hf.twins import NO_MELODY, Melody, melody_of
from neuromusic_hf.twins.runs import WHOLE_SKETCH, is_figure, melodic_runs, sketch


def melody_with(*lines):
    """Lines of pitches, a note a tick."""
    return Melody(
        np.concatenate([np.zeros(0, np.uint8), *(np.array(line, np.uint8) for line in lines)]),
        np.concatenate([np.zeros(0, np.int32), *(np.arange(len(line), dtype=np.int32) for line in lines)]),
        np.array([len(line) for line in lines], np.int32),
    )


@pytest.mark.parametrize("length", [1, 4, 7, 8])
def test_runs_are_equal_where_intervals_are(length):
    random = np.random.default_rng(length)
    lines = [random.integers(60, 63, size).tolist() for size in (200, 0, 3, length, length + 1, 90)]
    hashes, start = melodic_runs(melody_with(*lines), length)
    intervals, first = {}, 0
    for line in lines:
        for place in range(len(line) - length):
            intervals[first + place] = tuple(np.diff(line[place : place + length + 1]).tolist())
        first += len(line)
    assert start.tolist() == list(intervals)
    assert len(set(hashes.tolist())) == len(set(intervals.values()))
    assert len(set(zip(hashes.tolist(), intervals.values(), strict=True))) == len(set(intervals.values()))


def test_extreme_intervals_are_told_apart():
    lines = [[0, 127, 0], [0, 127, 1], [127, 0, 127], [0, 0, 0], [0, 1, 0]]
    assert len({int(melodic_runs(melody_with(line), 2)[0][0]) for line in lines}) == len(lines)


def test_a_sketch_is_all_of_a_short_piece_and_a_quarter_of_a_long_one():
    random = np.random.default_rng(0)
    tune = random.integers(40, 90, 20_000)
    runs = np.unique(melodic_runs(melody_with(tune), 8)[0])
    found = sketch(melody_with(tune))
    assert 0.2 < len(found) / len(runs) < 0.3 and np.isin(found, runs).all() and (np.diff(found) > 0).all()
    half = sketch(melody_with(tune[:10_000]))
    assert np.isin(half, found).all() and abs(len(half) / len(found) - 0.5) < 0.05
    short = melody_with(tune[: WHOLE_SKETCH + 8])
    assert sketch(short).tolist() == np.unique(melodic_runs(short, 8)[0]).tolist()


def test_neither_key_nor_tempo_nor_order_of_tracks_change_a_sketch():
    song, other = make_song(0), make_song(0)
    other.tracks = other.tracks[::-1]
    for track in other.tracks:
        track.shift_pitch(5, inplace=True)
        for note in track.notes:
            note.time, note.duration = 3 * note.time, 3 * note.duration
    assert sketch(melody_of(song)).tolist() == sketch(melody_of(other)).tolist()


def test_a_piece_without_melody_has_an_empty_sketch():
    for melody in (NO_MELODY, melody_with([60]), melody_with([60, 62] * 4)):
        assert sketch(melody).shape == (0,) and sketch(melody).dtype == np.uint64


@pytest.mark.parametrize(
    "pitches, figure",
    [
        ([60, 62, 64, 65, 67, 69], True),
        ([60, 62, 64, 62, 60, 59], True),
        ([60, 62, 64, 69, 71, 72], True),
        ([60, 62, 60, 64, 62, 65], False),
        ([48, 55, 52, 55, 47, 55, 50, 55, 45, 52, 48], True),
        ([60, 64, 67, 72, 67, 64] * 3, True),
        ([67, 64, 65, 62, 67, 72], False),
    ],
    ids=["scale", "turn", "leap in a scale", "thirds", "Alberti", "broken chords", "tune"],
)
def test_figuration_is_told_from_tunes(pitches, figure):
    melody = melody_with([60, 61], pitches, [60] * 3)
    start = melodic_runs(melody, 5)[1]
    assert start.tolist() == list(range(2, 2 + len(pitches) - 5))
    assert is_figure(melody, start, 5).all() == figure
    assert is_figure(melody, start[:0], 5).shape == (0,)
