"""What of a continued piece is new, against naive bookkeeping."""

import random
from collections import Counter

import pytest
from symusic import Note, Score, Tempo, TimeSignature, Track

from neuromusic_hf.music import new_music


def piece(notes, program=0, is_drum=False, tpq=8):
    score = Score(tpq)
    track = Track(program=program, is_drum=is_drum)
    for time, duration, pitch in notes:
        track.notes.append(Note(time, duration, pitch, 80))
    score.tracks.append(track)
    return score


def notes_of(score):
    return sorted(
        (track.program, track.is_drum, note.time, note.duration, note.pitch)
        for track in score.tracks
        for note in track.notes
    )


OLD = [(0, 8, 60), (8, 8, 62), (40, 8, 64)]
NEW = [(48, 8, 65), (64, 4, 67)]


def test_only_new_notes_remain():
    kept = new_music(piece(OLD + NEW), piece(OLD), from_zero=False)
    assert notes_of(kept) == notes_of(piece(NEW))


def test_music_begins_at_zero_with_its_bar():
    kept = new_music(piece(OLD + NEW), piece(OLD))
    bar = 32
    assert notes_of(kept) == notes_of(piece([(time - bar, duration, pitch) for time, duration, pitch in NEW]))


def test_a_repeated_note_counts_as_often_as_it_sounds():
    kept = new_music(piece(OLD + [OLD[0]]), piece(OLD), from_zero=False)
    assert notes_of(kept) == notes_of(piece([OLD[0]]))


def test_the_same_note_of_another_instrument_is_new():
    full, prompt = piece(OLD), piece(OLD)
    for track in piece(OLD, program=40).tracks:
        full.tracks.append(track)
    assert notes_of(new_music(full, prompt, from_zero=False)) == notes_of(piece(OLD, program=40))


def test_nothing_new_is_an_empty_score():
    assert new_music(piece(OLD), piece(OLD)).note_num() == 0


@pytest.mark.parametrize("start", [0, 32, 64])
def test_tempo_and_time_signature_in_force_come_along(start):
    full = piece(OLD + [(start + 1, 4, 90)])
    full.tempos = [Tempo(0, 90.0), Tempo(32, 100.0), Tempo(70, 60.0)]
    full.time_signatures = [TimeSignature(0, 4, 4), TimeSignature(64, 3, 4)]
    kept = new_music(full, piece(OLD))
    expected = {
        0: [(0, 90), (32, 100), (70, 60)],
        32: [(0, 100), (38, 60)],
        64: [(0, 100), (6, 60)],
    }[start]
    assert [(tempo.time, round(tempo.qpm)) for tempo in kept.tempos] == expected
    signatures = [(signature.time, signature.numerator) for signature in kept.time_signatures]
    assert signatures == {0: [(0, 4), (64, 3)], 32: [(0, 4), (32, 3)], 64: [(0, 3)]}[start]
    assert notes_of(kept) == [(0, False, 1, 4, 90)]


def test_any_notes_are_new_that_one_after_the_other_are():
    rng = random.Random(0)
    for _ in range(200):
        full, prompt = (_few_notes_often_equal(rng) for _ in range(2))
        known = Counter(notes_of(prompt))
        expected = [note for note in notes_of(full) if not known[note] or known.subtract([note])]
        assert notes_of(new_music(full, prompt, from_zero=False)) == expected


def _few_notes_often_equal(rng):
    score = Score(8)
    for _ in range(rng.randrange(4)):
        notes = [(8 * rng.randrange(3), rng.randrange(1, 3), rng.randrange(60, 62)) for _ in range(rng.randrange(8))]
        score.tracks.append(piece(notes, rng.choice([0, 40]), rng.random() < 0.3).tracks[0])
    return score
