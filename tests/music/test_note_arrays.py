"""Notes as arrays, against a loop over the notes."""

import numpy as np
import pytest
from music import make_score
from symusic import Note, Score, Track

from neuromusic_hf.music import NoteArrays, gather_notes

FIELDS = ("onset", "duration", "end", "pitch", "velocity", "track", "program", "is_drum")


def rows_by_hand(score: Score, drums: bool | None = None) -> list[tuple]:
    return [
        (note.time, note.duration, note.end, note.pitch, note.velocity, index, track.program, track.is_drum)
        for index, track in enumerate(score.tracks)
        for note in track.notes
        if drums in (None, track.is_drum)
    ]


def rows_of(notes: NoteArrays) -> list[tuple]:
    return list(zip(*(getattr(notes, name).tolist() for name in FIELDS), strict=True))


def three_tracks() -> Score:
    score = make_score(3)
    score.tracks.append(Track("empty", 7, False))
    for program, is_drum in ((0, True), (40, False)):
        track = Track("", program, is_drum)
        for note in score.tracks[0].notes:
            track.notes.append(Note(note.time + 1, note.duration + 2, note.pitch, note.velocity))
        score.tracks.append(track)
    return score


@pytest.mark.parametrize("drums", [None, True, False])
@pytest.mark.parametrize("score", [three_tracks(), Score(480), make_score(1)])
def test_arrays_hold_what_a_loop_finds(score, drums):
    notes = gather_notes(score, drums)
    assert rows_of(notes) == rows_by_hand(score, drums) and len(notes) == len(notes.onset)
    assert {getattr(notes, name).dtype.name for name in FIELDS} == {"int64", "bool"}


def test_arrays_stay_what_they_were():
    score = three_tracks()
    notes, before = gather_notes(score), rows_by_hand(score)
    for track in score.tracks:
        track.program, track.notes = 99, []
    assert rows_of(notes) == before


@pytest.mark.parametrize("unit", ["quarter", "second"])
def test_other_units_of_time_come_as_they_are(unit):
    score = three_tracks().to(unit)
    np.testing.assert_allclose(rows_of(gather_notes(score)), rows_by_hand(score), rtol=1e-6)
