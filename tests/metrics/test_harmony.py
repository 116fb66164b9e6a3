"""Bars, keys and Roman numerals: beside plain Python, and beside music21."""

import random

import numpy as np
import pytest
from metrics.naive_harmony import longest_pitches, roman_numeral, sounding_ticks
from music21.analysis.discrete import AardenEssen
from music21.note import Note as Music21Note
from music21.pitch import Pitch
from music21.stream import Stream
from symusic import Note, Score, TimeSignature, Track

from neuromusic_hf.metrics import find_key, harmonic_reduction, numeral_table
from neuromusic_hf.metrics.keys import KEYS, PROFILES, Key, best_key
from neuromusic_hf.metrics.numeral_table import build_table, name_chord
from neuromusic_hf.metrics.numerals import CHORDS, load_table
from neuromusic_hf.music import RefusedFile, bar_starts

C_MAJOR = Key(0, "major")


def build(notes, signatures=((0, 4, 4),), tpq: int = 24, is_drum: bool = False) -> Score:
    """A score of (onset, duration, pitch) and (time, numerator, denominator), times in ticks."""
    score = Score(tpq)
    for signature in signatures:
        score.time_signatures.append(TimeSignature(*signature))
    track = Track(is_drum=is_drum)
    for onset, duration, pitch in notes:
        track.notes.append(Note(onset, duration, pitch, 64))
    score.tracks.append(track)
    return score


def random_score(seed: int) -> Score:
    """Two tracks that overlap and meet in unison, with rests and two meters."""
    draw = random.Random(seed)
    score = build([], [(0, 3, 4), (144, 5, 8)])
    score.tracks.append(Track())
    for track in score.tracks:
        for _ in range(25):
            onset = draw.randrange(40) * 12 + (150 if draw.random() < 0.5 else 0)
            track.notes.append(Note(onset, draw.choice([0, 6, 12, 24, 100]), draw.randrange(55, 72), 64))
    return score


@pytest.mark.parametrize("seed", range(8))
def test_the_reduction_is_that_of_plain_python(seed):
    score = random_score(seed)
    end = max(note.end for track in score.tracks for note in track.notes)
    bars = sounding_ticks(score, bar_starts(score, end).tolist())
    classes = np.zeros(12)
    for bar in bars:
        for pitch, (ticks, _) in bar.items():
            classes[pitch % 12] += ticks
    key = best_key(classes)
    assert find_key(score) == key
    assert harmonic_reduction(score) == [roman_numeral(key, longest_pitches(bar)) if bar else "-" for bar in bars]


def test_a_held_note_sounds_in_each_of_its_bars_and_an_empty_bar_is_a_dash():
    triad = [(96, 192, pitch) for pitch in (60, 64, 67)]
    assert harmonic_reduction(build([*triad, (400, 10, 60)])) == ["-", "I53", "I53", "-", "i"]


def test_four_pitches_are_taken_by_how_long_they_sound():
    long = [(0, 96, 48), (0, 96, 64), (0, 96, 67), (0, 48, 70)]
    short = [(onset, 20, 61) for onset in (0, 24)]
    assert harmonic_reduction(build([*long, *short]))[0].endswith("7")
    assert harmonic_reduction(build(long)) == harmonic_reduction(build([*long, *short]))


def test_unison_sounds_once():
    notes = [(0, 96, 60), (0, 48, 64), (0, 48, 67), (0, 48, 69), (48, 40, 62)]
    doubled = build(notes)
    doubled.tracks.append(build([(48, 40, 62)]).tracks[0])
    assert harmonic_reduction(doubled) == harmonic_reduction(build(notes))
    assert find_key(doubled) == find_key(build(notes))


def test_drums_do_not_sound():
    score = build([(0, 96, 60), (0, 96, 64), (0, 96, 67)])
    words = harmonic_reduction(score)
    score.tracks.append(build([(0, 900, 37)], is_drum=True).tracks[0])
    assert harmonic_reduction(score) == words


def test_a_piece_in_which_nothing_sounds_has_no_harmony():
    for feature in (harmonic_reduction, find_key):
        with pytest.raises(RefusedFile, match="no_sound"):
            feature(build([(0, 0, 60)]))
        with pytest.raises(RefusedFile, match="drums_only"):
            feature(build([(0, 24, 36)], is_drum=True))


@pytest.mark.parametrize(
    "signatures, expected",
    [
        ([], [0, 96, 192, 288]),
        ([(0, 3, 4)], [0, 72, 144, 216, 288]),
        ([(0, 6, 8), (144, 4, 4)], [0, 72, 144, 240]),
        ([(100, 3, 4)], [0, 96, 100, 172, 244]),
        ([(192, 2, 4), (0, 4, 4)], [0, 96, 192, 240, 288]),
        ([(0, 3, 4), (0, 4, 4), (400, 3, 4)], [0, 96, 192, 288]),
    ],
)
def test_bars_follow_time_signatures(signatures, expected):
    assert bar_starts(build([], signatures), 300).tolist() == expected


def test_key_profiles_are_those_of_music21():
    for mode, weights in PROFILES.items():
        assert weights.tolist() == AardenEssen().getWeights(mode)


def test_keys_are_those_of_music21():
    draw = np.random.default_rng(0)
    for _ in range(24):
        classes = draw.integers(0, 9, 12) * (draw.random(12) < 0.6)
        stream = Stream()
        for pitch_class, quarters in enumerate(classes.tolist()):
            if quarters:
                stream.append(Music21Note(Pitch(midi=60 + pitch_class), quarterLength=quarters))
        assert str(best_key(classes)) == str(stream.analyze("key"))


def test_where_keys_fit_alike_the_choice_depends_on_no_unit_of_time():
    assert str(best_key(np.ones(12))) == "b minor" == str(best_key(np.full(12, 0.1)))
    tritone = np.array([1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
    assert {best_key(tritone * unit) for unit in (1, 1 / 3, 480, 1e-3)} == {best_key(tritone)}


def test_numerals_are_those_of_music21():
    draw = random.Random(0)
    for _ in range(150):
        key, pitches = draw.choice(KEYS), draw.sample(range(30, 90), draw.randint(1, 4))
        pitches = sorted(pitches, key=lambda pitch: (pitch != min(pitches), (pitch - min(pitches)) % 12))
        assert roman_numeral(key, pitches) == name_chord(key, pitches), (key, pitches)


def test_numerals_depend_on_bass_and_pitch_classes():
    assert roman_numeral(C_MAJOR, [55, 59, 62, 65]) == roman_numeral(C_MAJOR, [43, 77, 62, 59]) == "V7"
    assert roman_numeral(C_MAJOR, [59, 55 + 12, 62, 65]) == "V65"
    assert roman_numeral(Key(9, "minor"), [57, 60, 64]) == "i53"
    assert roman_numeral(Key(7, "major"), [51, 55, 58, 61]) == "Ger65"
    with pytest.raises(ValueError, match="four of its pitches"):
        roman_numeral(C_MAJOR, [60, 61, 62, 63, 64])


def test_every_chord_in_every_key_has_a_numeral():
    words, table = load_table()
    assert table.shape == (len(KEYS), 12, len(CHORDS)) == (24, 12, 232)
    assert np.unique(table).tolist() == list(range(len(words)))
    assert all(words) and "-" not in words


def test_a_table_built_anew_is_the_one_that_ships(monkeypatch, tmp_path):
    monkeypatch.setattr(numeral_table, "KEYS", KEYS[:1])
    monkeypatch.setattr(numeral_table, "CHORDS", CHORDS[:4])
    build_table(tmp_path / "table.npz")
    words, table = load_table()
    with np.load(tmp_path / "table.npz") as built:
        assert built["words"][built["numerals"]].tolist() == words[table[:1, :, :4]].tolist()
