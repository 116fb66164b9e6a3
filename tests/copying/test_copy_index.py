"""The index tells which runs training pieces hold, in any key, however they are parted."""

import pytest
from music import make_score
from symusic import Note, Score, Track

from neuromusic_hf.copying import CopyIndex, note_intervals, training_parts


@pytest.mark.parametrize("part_notes", [30, 1_000_000])
def test_it_holds_the_runs_of_all_pieces_in_any_key_and_no_others(part_notes, monkeypatch):
    monkeypatch.setattr(training_parts, "PART_NOTES", part_notes)
    pieces = [make_score(seed, 24) for seed in range(5)]
    index = CopyIndex.of(iter(pieces), "five")
    assert (index.num_pieces, index.num_notes) == (5, sum(len(note_intervals(piece)) + 1 for piece in pieces))
    assert len(index.parts) == (1 if part_notes > 30 else 5)
    rows = [note_intervals(piece.shift_pitch(3)).tolist() for piece in pieces]
    runs = {tuple(row[start : start + 4]) for row in rows for start in range(len(row) - 3)}
    assert all(index.holds(run) for run in runs)
    followers = {run[-1] for run in runs if run[:3] == tuple(rows[2][5:8])}
    assert index.followers(rows[2][5:8]).tolist() == sorted(followers)
    strange = [note_intervals(make_score(seed, 24)).tolist()[:4] for seed in range(100, 110)]
    assert [index.holds(run) for run in strange] == [tuple(run) in runs for run in strange]
    assert not index.holds([*rows[0][-2:], *rows[1][:2]])


def test_it_knows_its_music_again():
    pieces = [make_score(seed, 24) for seed in range(3)]
    assert CopyIndex.of(pieces).sha256 == CopyIndex.of([piece.shift_pitch(1) for piece in pieces]).sha256
    assert CopyIndex.of(pieces).sha256 != CopyIndex.of(pieces[:2]).sha256


def test_music_without_notes_is_refused():
    drums = Score(480)
    drums.tracks.append(Track(is_drum=True, notes=[Note(0, 10, 36, 90)]))
    for pieces in ([], [Score(480), drums]):
        with pytest.raises(ValueError, match=f"silence has no note that could be copied.* in {len(pieces)} pieces"):
            CopyIndex.of(pieces, "silence")
