"""Copies of a piece are found among strangers however people made them; what all music shares joins nobody."""

from functools import cache

import numpy as np
import pytest
from music import in_scale, make_song
from plantings import PLANTINGS
from symusic import Note, Score, Tempo, Track

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.twins import NO_MELODY, families, find_twins, melody_of

STRANGERS = 30
COPIES = 5


@cache
def songs():
    return [make_song(seed, bars=32) for seed in range(STRANGERS)]


@cache
def folk_tunes():
    rows = load_corpus("folk", max_pieces=40, split_version="notes-hash-1")["train"]
    return list(rows["midi"])[:STRANGERS]


PIECES = {"songs": songs, "folk": folk_tunes}
OF_TUNES = ("hands apart", "other melody")
"""Nothing that a tune without accompaniment can be made to."""


@pytest.mark.parametrize("planting", PLANTINGS)
@pytest.mark.parametrize("pieces", PIECES)
def test_a_copy_is_found_and_nobody_else(pieces, planting):
    if pieces == "folk" and planting in OF_TUNES:
        pytest.skip("a tune has no accompaniment")
    pieces = PIECES[pieces]()
    random = np.random.default_rng(0)
    copies = [PLANTINGS[planting](pieces[index], random, pieces[index + 5 : index + 9]) for index in range(COPIES)]
    melodies = [melody_of(score) for score in (*pieces, *copies)]
    groups = np.repeat([0, 1], [len(pieces), COPIES])
    found = {(twin.first, twin.second - len(pieces)) for twin in find_twins(melodies, groups)}
    expected = {(index, index) for index in range(COPIES)}
    assert len(expected - found) <= (planting == "ornamented, 20%")
    borrowed = {"other melody": 1, "in a medley of five": 4}.get(planting, 0)
    assert found <= expected | {(index + 5 + part, index) for index in range(COPIES) for part in range(borrowed)}


def test_the_parts_of_a_medley_are_one_family():
    pieces = songs()[:8]
    medley = PLANTINGS["in a medley of five"](pieces[0], np.random.default_rng(0), pieces[1:5])
    found = find_twins([melody_of(score) for score in (*pieces, medley)])
    assert [(twin.first, twin.second) for twin in found] == [(index, 8) for index in range(5)]
    assert families(9, found).tolist() == [0, 0, 0, 0, 0, 5, 6, 7, 0]


def test_a_twin_says_what_is_shared():
    original = songs()[0]
    copy = PLANTINGS["on one piano"](original.shift_pitch(-3), np.random.default_rng(0), [])
    (twin,) = find_twins([melody_of(score) for score in (original, *songs()[1:4], copy)])
    assert (twin.first, twin.second, twin.transposition) == (0, 4, -3)
    assert twin.notes > 40 and 0.5 < twin.share <= 1


def piece_of(*lines):
    """Lines of pitches in eighths, a track each."""
    score = Score(480)
    score.tempos.append(Tempo(0, 120))
    for line in lines:
        track = Track(program=0)
        for index, pitch in enumerate(line):
            track.notes.append(Note(240 * index, 240, int(pitch), 80))
        score.tracks.append(track)
    return score


def scales(random):
    """Up and down by one or two octaves, from some step to some step."""
    line = []
    for _ in range(8):
        start, length = int(random.integers(30, 40)), int(random.integers(7, 15))
        line += [in_scale(start + step) for step in (*range(length), *range(length - 2, 0, -1))]
    return piece_of(line)


def tune_on_alberti(random):
    """C, G, a and F, twice, as every beginner's piece has them."""
    chords = [(48, 55, 52), (47, 55, 50), (45, 52, 48), (45, 53, 48)] * 2
    alberti = [pitch for low, high, middle in chords for pitch in (low, high, middle, high) * 2]
    steps = np.cumsum(random.choice([-4, -3, -2, -1, 1, 2, 3, 4], len(alberti)))
    return piece_of([in_scale(35 + abs(step) % 12) for step in steps.tolist()], alberti)


def riff(random):
    """A low note that is struck again and again, and at times the next one."""
    low = int(random.integers(36, 48))
    return piece_of([low + 2 * int(step) for step in random.random(200) < 0.2])


def prelude(random):
    """Broken triads up and down, on other chords in each piece."""
    roots = np.cumsum(random.choice([-4, -3, -2, 2, 3, 4], 16)) % 7
    return piece_of([in_scale(28 + int(root) + step) for root in roots for step in (0, 2, 4, 7, 4, 2, 0, 4)])


def chromatic_runs(random):
    line = []
    for _ in range(10):
        start, length = int(random.integers(50, 60)), int(random.integers(8, 20))
        line += [*range(start, start + length), *range(start + length, start, -1)]
    return piece_of(line)


def steps(random):
    """Up or down by a step, at random: of such runs there are few, which all of them have."""
    return piece_of([in_scale(28 + abs(step % 40 - 20)) for step in np.cumsum(random.choice([-1, 1], 600)).tolist()])


def mostly_steps(random):
    line = np.cumsum(random.choice([-2, -1, 1, 2], 600, p=[0.04, 0.46, 0.46, 0.04]))
    return piece_of([in_scale(28 + abs(step % 40 - 20)) for step in line.tolist()])


@pytest.mark.parametrize(
    "kind, most",
    [
        (tune_on_alberti, 0),
        (riff, 0),
        # Of 66 pairs, which have nothing else to be told by.
        (scales, 6),
        (chromatic_runs, 6),
        (prelude, 6),
        (steps, 0),
        (mostly_steps, 0),
    ],
)
def test_what_all_music_shares_joins_nobody(kind, most):
    pieces = [kind(np.random.default_rng(seed)) for seed in range(12)]
    assert len(find_twins([melody_of(score) for score in pieces])) <= most


@pytest.mark.parametrize("kind", [scales, tune_on_alberti, prelude, chromatic_runs])
def test_a_piece_of_figuration_has_its_copies_for_twins(kind):
    pieces = [kind(np.random.default_rng(seed)) for seed in range(3)]
    melodies = [melody_of(score) for score in (*pieces, pieces[0].shift_pitch(2))]
    assert (0, 3, 2) in {(twin.first, twin.second, twin.transposition) for twin in find_twins(melodies)}


def test_strangers_are_strangers():
    assert find_twins([melody_of(score) for score in songs()]) == []


def test_groups_keep_their_own_twins():
    song = melody_of(songs()[0])
    melodies = [song, song, melody_of(songs()[1]), song]
    pairs = {(twin.first, twin.second) for twin in find_twins(melodies, np.array([0, 0, 0, 1]))}
    assert pairs == {(0, 3), (1, 3)}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_pieces_without_melody_have_no_twins(count):
    assert find_twins([NO_MELODY] * count) == []
