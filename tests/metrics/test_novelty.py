"""The longest shared run is found exactly, whatever the key, the grid, the order of the notes or the parts."""

import json

import numpy as np
import pytest
from copying.naive_runs import naive_lengths
from music import make_score
from symusic import Note, Score, Track

from neuromusic_hf import MidiProcessor
from neuromusic_hf.copying import SuffixArray, note_intervals, training_parts
from neuromusic_hf.metrics import longest_runs, novelty, score_novelty


def part(score: Score, start: int, end: int) -> Score:
    """The notes `start` to `end` of a score, in order of time and pitch, on one track."""
    notes = sorted((note for track in score.tracks for note in track.notes), key=lambda note: (note.time, note.pitch))
    return melody([(note.time, note.pitch) for note in notes[start:end]])


def melody(notes: list[tuple[int, int]], tpq: int = 480) -> Score:
    score = Score(tpq)
    score.tracks.append(Track(notes=[Note(time, tpq, pitch, 64) for time, pitch in notes]))
    return score


def test_a_copied_run_is_found_whole():
    training = [make_score(seed) for seed in range(30)]
    piece = make_score(7)
    whole = len(note_intervals(piece)) + 1
    assert longest_runs(training, [piece]).tolist() == [whole]
    new = [(time, pitch) for time, pitch in zip(range(0, 48000, 481), np.arange(100) * 37 % 90 + 20, strict=False)]
    copied = part(piece, 20, 60)
    mixed = melody(new + [(48000 + note.time, note.pitch) for note in copied.tracks[0].notes])
    assert longest_runs(training, [mixed])[0] in (len(note_intervals(copied)) + 1, len(note_intervals(copied)) + 2)


def test_transposition_resolution_and_distribution_over_tracks_do_not_matter():
    notes = [(0, 60), (240, 64), (240, 67), (960, 62), (1440, 65)]
    expected = note_intervals(melody(notes)).tolist()
    assert note_intervals(melody([(time, pitch + 5) for time, pitch in notes])).tolist() == expected
    assert note_intervals(melody([(time // 5, pitch) for time, pitch in notes], tpq=96)).tolist() == expected
    split = melody(notes[::2])
    split.tracks.append(melody(notes[1::2]).tracks[0])
    split.tracks.append(Track(is_drum=True, notes=[Note(100, 10, 36, 90)]))
    assert note_intervals(split).tolist() == expected
    assert len(expected) == len(notes) - 1


def test_rhythm_and_intervals_tell_runs_apart():
    training = [melody([(0, 60), (480, 62), (960, 64), (1440, 65)])]
    same = melody([(0, 60), (480, 62), (960, 64)])
    another_rhythm = melody([(0, 60), (480, 62), (1440, 64)])
    nothing_alike = melody([(0, 60), (240, 70)])
    assert longest_runs(training, [same, another_rhythm, nothing_alike, Score(480)]).tolist() == [3, 2, 1, 0]


def test_no_run_crosses_from_one_piece_into_the_next():
    step, scale = melody([(0, 60), (480, 62)]), melody([(0, 60), (480, 62), (960, 64)])
    assert longest_runs([step, step], [scale]).tolist() == [2]
    assert longest_runs([scale], [step, step]).tolist() == [2, 2]


def shared_by_hand(training: list[Score], score: Score) -> int:
    sequences = [note_intervals(piece).tolist() for piece in training]
    return 1 + max(naive_lengths(sequences, note_intervals(score).tolist()))


@pytest.mark.parametrize("part_notes", [1, 30, 100, 1_000_000])
def test_runs_are_exact_however_the_training_pieces_are_parted(part_notes, monkeypatch):
    monkeypatch.setattr(training_parts, "PART_NOTES", part_notes)
    training = [make_score(seed, 24) for seed in range(8)] + [Score(480)]
    scores = [make_score(seed, 24) for seed in range(100, 104)] + [part(training[0], 3, 15), part(training[7], 5, 20)]
    found = longest_runs(iter(training), iter(scores)).tolist()
    assert found == [shared_by_hand(training, score) for score in scores]
    assert found[-2] >= 12 and found[-1] >= 15 > max(found[:-2])


def test_a_part_is_indexed_before_the_pieces_after_it_are_read(monkeypatch):
    read, parts = [], []

    def pieces():
        for notes in (4, 5, 0, 30, 2, 8, 1):
            read.append(notes)
            yield melody([(480 * number, 60) for number in range(notes)])

    def index(sequences):
        parts.append(([len(sequence) + 1 for sequence in sequences], len(read)))
        return SuffixArray(sequences)

    monkeypatch.setattr(training_parts, "PART_NOTES", 10)
    monkeypatch.setattr(novelty, "SuffixArray", index)
    score = score_novelty(pieces(), [make_score(0)], [make_score(1)])
    assert parts == [([4, 5], 4), ([30], 5), ([2, 8], 7), ([1], 7)]
    assert (score.num_training_pieces, score.num_training_notes) == (7, 50)


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured"])
def test_what_is_copied_through_tokens_is_found_in_the_unquantised_piece(name):
    processor = MidiProcessor.from_tokenization(name)
    random = np.random.default_rng(0)
    onsets = np.sort(random.integers(0, 480 * 64, 300)).tolist()
    piece = melody(list(zip(onsets, random.integers(40, 90, 300).tolist(), strict=True)))
    decoded = processor.decode(processor.encode(piece))
    assert longest_runs([piece], [decoded])[0] == len(note_intervals(piece)) + 1


def test_copies_stand_out_from_originals_and_pieces_without_notes_are_named():
    training = [make_score(seed) for seed in range(20)]
    originals = [make_score(seed) for seed in range(100, 110)]
    generated = [*training[:5], *(make_score(seed) for seed in range(200, 204)), Score(480)]
    score = score_novelty(training, originals, generated, [f"piece {n}" for n in range(10)])
    assert score.dropped == {"generated: no_notes": ["piece 9"]}
    assert score.num_pieces == 9 and score.share_beyond_originals == pytest.approx(5 / 9)
    assert score.longest_generated > 50 > score.longest_original >= score.mean_original
    runs = zip(longest_runs(training, originals).tolist(), longest_runs(training, generated).tolist(), strict=True)
    assert score.runs == (*list(runs)[:9], None)
    assert "runs" not in json.loads(json.dumps(score.to_dict(), allow_nan=False))


def test_nothing_to_compare_is_refused_or_empty():
    with pytest.raises(ValueError, match="at least one training piece"):
        longest_runs([], [make_score(0)])
    with pytest.raises(ValueError, match="2 originals, 1 continuations"):
        score_novelty([make_score(0)], [make_score(1)] * 2, [make_score(2)])
    assert score_novelty([make_score(0)], [], []).to_dict()["mean_generated"] is None
    assert longest_runs([Score(480)], [make_score(0), Score(480)]).tolist() == [1, 0]
