"""Spans and programs that are drawn: there is music around them and in them, and the seed decides alone."""

import pytest
from music import make_score
from symusic import Note, Score, TimeSignature, Track

from neuromusic_hf.music import RefusedFile, bar_starts
from neuromusic_hf.runs import draw_program, draw_span

BAR = 1920


def make_piece(bars_of_program):
    """A note in each of the bars of each program, -1 for drums."""
    score = Score(480)
    for program, bars in bars_of_program.items():
        track = Track("", max(program, 0), program == -1)
        track.notes.extend([Note(bar * BAR + 240, 10, 60, 100) for bar in bars])
        score.tracks.append(track)
    return score


def all_drawn(score, bars, programs=None):
    return {draw_span(score, bars, seed, programs) for seed in range(200)}


def test_bars_around_and_notes_in_it():
    # From the bar of the first note (2) to that of the last (9); none begins in 4 to 6.
    piece = make_piece({0: [2, 3, 7, 9], 32: [2, 8]})
    assert all_drawn(piece, 1) == {(3, 4), (7, 8), (8, 9)}
    assert all_drawn(piece, 2) == {(3, 5), (6, 8), (7, 9)}
    assert all_drawn(piece, 6) == {(3, 9)}
    assert all_drawn(piece, 1, {32}) == {(8, 9)}
    assert all_drawn(piece, 2, {32, 5}) == {(7, 9)}


@pytest.mark.parametrize(
    ("bars", "programs", "reason", "told"),
    [
        (7, None, "no_span", "8 bars from its first note to its last: 7 in the middle need 9"),
        (100, None, "no_span", "need 102"),
        (2, {40}, "no_notes", r"programs \[40\]"),
        (1, {-1}, "no_notes", "begins between"),
    ],
)
def test_without_such_bars_it_is_refused_with_a_reason(bars, programs, reason, told):
    piece = make_piece({0: [2, 3, 7, 9], -1: [2, 9]})
    with pytest.raises(RefusedFile, match=told) as refused:
        draw_span(piece, bars, 0, programs)
    assert refused.value.reason == reason


def test_nothing_is_refused():
    with pytest.raises(RefusedFile) as refused:
        draw_span(Score(480), 1, 0)
    assert refused.value.reason == "no_notes"


def test_one_program_of_those_that_begin_there():
    piece = make_piece({0: [1, 5], 32: [2], -1: [5, 6], 40: [8]})

    def drawn(spans, programs=None):
        return {draw_program(piece, spans, seed, programs) for seed in range(100)}

    assert drawn([(1, 3)]) == {0, 32}
    assert drawn([(5, 6)]) == {-1, 0}
    assert drawn([(2, 3), (8, 9)]) == {32, 40}
    assert drawn([(1, 9)], {-1, 32, 7}) == {-1, 32}
    for programs in (None, {0}):
        with pytest.raises(RefusedFile, match="no note") as refused:
            draw_program(piece, [(3, 5)], 0, programs)
        assert refused.value.reason == "no_notes"


def test_the_seed_decides_and_nothing_else():
    piece = make_score(3)
    piece.time_signatures.append(TimeSignature(int(bar_starts(piece)[5]), 7, 8))
    first = [draw_span(piece, 4, f"a {seed}") for seed in range(30)]
    assert first == [draw_span(piece, 4, f"a {seed}") for seed in range(30)]
    assert len(set(first)) > 5
    assert first != [draw_span(piece, 4, f"b {seed}") for seed in range(30)]
