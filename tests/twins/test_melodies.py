"""A piece's lines are those a naive search for voices finds, in whatever order, key, tempo and ticks it is written."""

from itertools import pairwise

import numpy as np
import pytest
from music import make_score, make_song
from symusic import Note, Score, Track

from neuromusic_hf.twins import melody_of
from neuromusic_hf.twins.detectors import FIRST, NEWEST
from neuromusic_hf.twins.melodies import (
    CHORD_SPREAD,
    CROWDED,
    HELD_UNDER,
    MOST_SOUNDING,
    SLOW_GAPS,
    SPREAD_OF_GAP,
    TIED_OVER,
    UPPER_VOICES,
)


def score_of(*tracks, tpq=480, **of_track):
    """Notes as (onset, duration, pitch)."""
    score = Score(tpq)
    for notes in tracks:
        track = Track(**of_track)
        for onset, duration, pitch in notes:
            track.notes.append(Note(onset, duration, pitch, 80))
        score.tracks.append(track)
    return score


def lines_of(melody):
    bounds = np.cumsum(melody.size)[:-1]
    pairs = zip(np.split(melody.onset, bounds), np.split(melody.pitch, bounds), strict=True)
    return [list(zip(onset.tolist(), pitch.tolist(), strict=True)) for onset, pitch in pairs if len(onset)]


def pedalled(seed):
    """A tune, and chords under it in half of the pieces, all held to the end of the bar."""
    random = np.random.default_rng(seed)
    notes = [(240 * step, 1920 - 240 * step % 1920, int(random.integers(60, 80))) for step in range(64)]
    chords = [(1920 * bar, 1920, pitch) for bar in range(8) for pitch in (43, 47, 50)]
    return score_of(notes + chords * (seed % 2))


def divided(seed):
    """A song in note values of an eighth."""
    tracks = [
        [(note.time // 8, note.duration // 8, note.pitch) for note in track.notes] for track in make_song(seed).tracks
    ]
    return score_of(*tracks)


def naive_spread(score, detector):
    onsets = sorted({note.time for track in score.tracks if not track.is_drum for note in track.notes})
    gaps = sorted(after - before for before, after in pairwise(onsets))
    nominal = CHORD_SPREAD * score.tpq
    if detector.finds_pace and sum(gap for gap in gaps if gap <= nominal) > CROWDED * sum(gaps):
        return min(nominal, SPREAD_OF_GAP * gaps[int(SLOW_GAPS * len(gaps))])
    return nominal


def naive_lines(score, detector):
    spread, lines = naive_spread(score, detector), []
    for track in (track for track in score.tracks if not track.is_drum):
        chords = []
        for note in sorted(track.notes, key=lambda note: note.time):
            if not chords or note.time - chords[-1][-1].time > spread:
                chords.append([])
            chords[-1].append(note)
        voices = [[] for _ in range(UPPER_VOICES + 1)]
        highest = [max(chord, key=lambda note: note.pitch) for chord in chords]
        hidden, before = set(), []
        for number, chord in enumerate(chords):
            first = {note.pitch: note for note in reversed(chord)}
            chord = [first[pitch] for pitch in sorted(first, reverse=True)]
            for place, note in enumerate(chord):
                sounding = [
                    other.pitch
                    for other in before
                    if other.end - note.time > max(spread, min(other.duration * TIED_OVER, note.duration / 2))
                ]
                above = place + sum(pitch > note.pitch for pitch in sounding)
                lowest = place == len(chord) - 1 and all(pitch >= note.pitch for pitch in sounding)
                assert len(before) - sum(other.end <= note.time for other in before) <= MOST_SOUNDING
                if place == 0 < above:
                    hidden.add(number)
                for voice in {above} & set(range(UPPER_VOICES)) | ({UPPER_VOICES} if lowest and above else set()):
                    if not voices[voice] or voices[voice][-1][1] != note.pitch:
                        voices[voice].append((note.time, note.pitch))
            before = (before + chord)[-MOST_SOUNDING:]
        outlasting = {
            number for number, (note, after) in enumerate(pairwise(highest)) if note.end - after.time > spread
        }
        if detector.by_onset and len(hidden & outlasting) > HELD_UNDER * len(chords):
            starts = [note for before, note in pairwise([None, *highest]) if not before or before.pitch != note.pitch]
            voices.append([(note.time, note.pitch) for note in starts])
        lines += [voice for voice in voices if voice]
    return lines


@pytest.mark.parametrize("detector", [FIRST, NEWEST], ids=["first", "newest"])
@pytest.mark.parametrize("seed", range(4))
def test_lines_are_those_a_naive_search_finds(seed, detector):
    for score in (make_score(seed), make_song(seed), pedalled(seed), divided(seed)):
        assert lines_of(melody_of(score, detector)) == naive_lines(score, detector)
        piano = score.copy()
        notes = [note for track in score.tracks for note in track.notes]
        piano.tracks = [Track(program=0)]
        for note in notes:
            piano.tracks[0].notes.append(Note(note.time, min(note.duration, 480), note.pitch, 80))
        assert lines_of(melody_of(piano, detector)) == naive_lines(piano, detector)


def test_a_track_has_upper_voices_and_a_bass():
    chorale = [
        (time, 480, pitch + step) for time, step in ((0, 0), (480, 2), (960, 4)) for pitch in (72, 64, 60, 55, 43)
    ]
    lines = lines_of(melody_of(score_of(chorale)))
    assert lines == [[(0, top), (480, top + 2), (960, top + 4)] for top in (72, 64, 60, 43)]


def test_a_note_that_repeats_is_one_and_a_unison_too():
    notes = [(0, 200, 60), (240, 200, 60), (480, 200, 62), (480, 100, 62), (720, 200, 60)]
    assert lines_of(melody_of(score_of(notes))) == [[(0, 60), (480, 62), (720, 60)]]


def test_a_spread_chord_is_a_chord_and_a_held_note_counts():
    spread = [(0, 960, 48), (15, 960, 55), (30, 960, 64), (480, 200, 67)]
    assert lines_of(melody_of(score_of(spread))) == [[(30, 64), (480, 67)], [(15, 55)], [(0, 48)], [(0, 48)]]


@pytest.mark.parametrize(
    "score",
    [Score(480), score_of([]), score_of([(0, 480, 36), (480, 480, 38)], is_drum=True)],
    ids=["empty", "empty track", "drums"],
)
def test_what_has_no_melody_has_no_lines(score):
    melody = melody_of(score)
    assert lines_of(melody) == [] and len(melody.line) == 0


def test_one_note_is_a_line():
    assert lines_of(melody_of(score_of([(7, 480, 60)]))) == [[(7, 60)]]


def test_any_heap_of_notes_has_lines():
    cluster = [(index // 100, 4000, 20 + index % 100) for index in range(10_000)]
    at_once = [(0, 480, index % 128) for index in range(500)]
    backwards = [(480 * index, -480, 60 + index % 12) for index in range(50)]
    for notes in (cluster, at_once, backwards):
        melody = melody_of(score_of(notes))
        assert melody.size.sum() == len(melody.pitch) == len(melody.onset)
        assert all(line == sorted(line, key=lambda note: note[0]) for line in lines_of(melody))
    assert len(lines_of(melody_of(score_of(at_once)))) == UPPER_VOICES + 1
