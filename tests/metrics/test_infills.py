"""Spans, what anyone could put there, and how it is judged."""

import numpy as np
import pytest
from music import make_song
from symusic import Note, Score, TimeSignature, Track

from neuromusic_hf.metrics import (
    CHROMA,
    GROOVE,
    JudgedSpan,
    continue_only,
    copy_before,
    groove_similarity,
    grooves,
    judge_span,
    measures,
    note_f1,
    take_elsewhere,
)
from neuromusic_hf.music import RefusedFile, bar_starts

BAR = 1920


def plain(score: Score) -> list[tuple]:
    """Program, onset and end in quarter notes, and pitch of all notes, in order."""
    return sorted(
        (-1 if track.is_drum else track.program, note.time / score.tpq, note.end / score.tpq, note.pitch)
        for track in score.tracks
        for note in track.notes
    )


def within(score: Score, start: int, end: int, programs=None, move: int = 0) -> list[tuple]:
    """The notes that begin from tick to tick, moved, one by one."""
    part = Score(score.tpq)
    for track in score.tracks:
        own = -1 if track.is_drum else track.program
        if programs is None or own in programs:
            kept = [Note(each.time + move, each.duration, each.pitch, 64) for each in track.notes]
            kept = [each for each in kept if start + move <= each.time < end + move]
            part.tracks.append(Track("", track.program, track.is_drum, kept))
    return plain(part)


@pytest.fixture(scope="module")
def song():
    score = make_song(1)
    drums = Track("", 0, True, [Note(480 * beat, 120, 36 + 2 * (beat % 2), 90) for beat in range(64)])
    score.tracks.append(drums)
    return score


def span_of(score, first=8, last=12, programs=None):
    return JudgedSpan("song", score, first * BAR, last * BAR, None if programs is None else frozenset(programs))


@pytest.mark.parametrize("programs", [None, (73,), (40, 41), (-1,)], ids=str)
def test_a_span_knows_its_notes_and_those_around_it(song, programs):
    span = span_of(song, programs=programs)
    assert span.num_bars == 4 and span.bars.tolist() == [BAR * bar for bar in range(8, 13)]
    assert plain(span.removed) == within(song, 8 * BAR, 12 * BAR, programs, -8 * BAR)
    before = within(song, 6 * BAR, 8 * BAR, programs, -6 * BAR)
    after = within(song, 12 * BAR, 14 * BAR, programs, -10 * BAR)
    assert plain(span.surroundings(2)) == sorted(before + after)
    whole = within(song, 0, 8 * BAR, programs) + within(song, 12 * BAR, 99 * BAR, programs, -4 * BAR)
    assert plain(span.surroundings(50)) == sorted(whole)


def test_a_span_lies_at_bar_lines_in_ticks_of_its_piece(song):
    with pytest.raises(ValueError, match="no bar line"):
        JudgedSpan("song", song, 480, BAR)
    with pytest.raises(ValueError, match="order of time"):
        JudgedSpan("song", song, BAR, BAR)
    with pytest.raises(ValueError, match="no program"):
        JudgedSpan("song", song, 0, BAR, frozenset())
    with pytest.raises(ValueError, match="960"):
        span_of(song).notes_of(song.resample(960))


def test_a_span_may_end_with_the_last_bar_or_after_it(song):
    assert plain(span_of(song, 14, 16).removed) == within(song, 14 * BAR, 16 * BAR, None, -14 * BAR)
    assert plain(span_of(song, 14, 20).removed) == within(song, 14 * BAR, 99 * BAR, None, -14 * BAR)
    assert span_of(song, 0, 4).before(8).tolist() == [0]


@pytest.mark.parametrize("programs", [None, (73,), (-1,)], ids=str)
def test_a_copy_is_the_bars_before(song, programs):
    copy = copy_before(span_of(song, programs=programs))
    assert plain(copy) == within(song, 4 * BAR, 8 * BAR, programs, -4 * BAR)
    assert copy.tpq == song.tpq


def test_fewer_bars_are_copied_again_and_again(song):
    copy = plain(copy_before(span_of(song, 2, 7, (73, -1))))
    two = within(song, 0, 2 * BAR, (73, -1))
    moved = [(program, on + 8 * turn, end + 8 * turn, pitch) for turn in (0, 1) for program, on, end, pitch in two]
    moved += [(each[0], each[1] + 16, each[2] + 16, each[3]) for each in two if each[1] < 4]
    assert copy == sorted(moved)
    with pytest.raises(RefusedFile, match="no_bar_before"):
        copy_before(span_of(song, 0, 4))


def test_bars_of_another_length_are_cut_and_stay_at_their_bar_lines():
    score = Score(480)
    score.time_signatures.extend([TimeSignature(0, 4, 4), TimeSignature(2 * BAR, 3, 4)])
    score.tracks.append(Track("", 0, False, [Note(480 * beat, 480, 60 + beat, 64) for beat in range(14)]))
    span = JudgedSpan("waltz", score, 2 * BAR, 2 * BAR + 2 * 1440)
    assert [note[1:] for note in plain(copy_before(span))] == [
        (0, 1, 60), (1, 2, 61), (2, 3, 62), (3, 4, 64), (4, 5, 65), (5, 6, 66),
    ]  # fmt: skip
    assert bar_starts(copy_before(span), 2880).tolist() == [0, 1440]


def test_bars_of_another_piece_are_whole_bars_of_it_in_the_ticks_of_the_span(song):
    others = [make_song(seed).resample(960) for seed in (2, 3)]
    span = span_of(song, programs=(73, -1))
    found = take_elsewhere(span, [song, *others], np.random.default_rng(5))
    again = take_elsewhere(span, [song, *others], np.random.default_rng(5))
    assert plain(found) == plain(again) and found.tpq == song.tpq
    spans = [(other, 2 * bar * BAR) for other in others for bar in range(13)]
    whole = [within(other, at, at + 8 * BAR, (73,), -at) for other, at in spans]
    assert found.note_num() and plain(found) in whole
    every = take_elsewhere(span_of(song), others, np.random.default_rng(5))
    assert {note[0] for note in plain(every)} == {40, 41, 42, 73}
    for pieces, programs in (([song], None), (others, (-1,)), ([make_song(4, bars=2)], None)):
        with pytest.raises(RefusedFile, match="no_other_piece"):
            take_elsewhere(span_of(song, programs=programs), pieces, np.random.default_rng(0))


class FakePipeline:
    """Goes on with the piece itself, in ticks of its own: what a model that knows it all would write."""

    def __init__(self, piece: Score, bars: int = 4, begins_late: int = 0):
        self.piece, self.bars, self.begins_late, self.calls = piece.resample(96), bars, begins_late, []

    def __call__(self, prompts, prompt_length, prompt_from, max_new_bars, **arguments):
        self.calls.append((len(prompts), prompt_length, prompt_from, max_new_bars, arguments))
        return [self.answer(prompt, max_new_bars) for prompt in prompts]

    def answer(self, prompt, new_bars):
        bar, lines = BAR // 5, len(bar_starts(prompt))
        begin = max(lines - self.bars, 0) * bar + self.begins_late
        told, part = (
            self.piece.clip(begin, end * bar, clip_end=False).shift_time(-begin) for end in (lines, lines + new_bars)
        )
        return {"midi": part, "prompt": told}


def test_a_continuation_is_cut_to_the_span_and_to_its_programs(song):
    pipeline = FakePipeline(song)
    spans = [span_of(song), span_of(song, 3, 5, (73,)), span_of(song, 0, 4)]
    whole, flute, first = continue_only(spans, pipeline, 99, seed=3)
    assert plain(whole) == plain(spans[0].removed) and plain(flute) == plain(spans[1].removed)
    assert whole.tpq == song.tpq and isinstance(first, RefusedFile) and first.reason == "no_notes"
    assert sorted(pipeline.calls, key=lambda call: call[3]) == [
        (1, 99, "end", 2, {"seed": 3}), (1, 99, "end", 4, {"seed": 3}),
    ]  # fmt: skip


def test_silence_before_the_span_is_counted_and_what_is_skipped_has_its_reason(song):
    gap = song.copy()
    for track in gap.tracks:
        track.notes = [note for note in track.notes if not 6 * BAR <= note.time < 8 * BAR]
    pipeline = FakePipeline(gap)
    assert plain(continue_only([span_of(gap)], pipeline)[0]) == plain(span_of(gap).removed)
    assert pipeline.calls[0][3] == 6  # two silent bars, and the four of the span
    skipped = {"midi": None, "skipped": {"reason": "no_notes", "detail": "none is kept"}}
    (found,) = continue_only([span_of(song)], lambda prompts, **_: [skipped])
    assert isinstance(found, RefusedFile) and found.detail == "none is kept"


def test_a_prompt_that_begins_within_a_bar_is_no_prompt(song):
    (found,) = continue_only([span_of(song)], FakePipeline(song, begins_late=96))
    assert isinstance(found, RefusedFile) and found.reason == "prompt_too_long"


def test_a_continuation_that_ends_before_the_span_is_silence(song):
    prompt = song.clip(0, 8 * BAR, clip_end=False)
    (found,) = continue_only([span_of(song)], lambda prompts, **_: [{"midi": prompt, "prompt": prompt}])
    assert isinstance(found, Score) and found.note_num() == 0


def test_positions_are_sixteenths_of_the_bar_whatever_its_meter():
    score = Score(96)
    score.time_signatures.extend([TimeSignature(0, 4, 4), TimeSignature(384, 3, 4), TimeSignature(384 + 288, 6, 8)])
    onsets = [0, 24, 25, 383, 384, 384 + 144, 384 + 288 + 270]
    score.tracks.append(Track("", 0, True, [Note(onset, 10, 36, 64) for onset in onsets]))
    assert [np.flatnonzero(bar).tolist() for bar in grooves(score)] == [[0, 1, 15], [0, 8], [15]]
    with pytest.raises(RefusedFile, match="no_notes"):
        grooves(Score(96))


def test_groove_similarity_is_the_mean_over_pairs_of_bars():
    random = np.random.default_rng(0)
    first, second = random.random((3, 16)) < 0.4, random.random((5, 16)) < 0.4
    pairs = [1 - np.mean(one != other) for one in first for other in second]
    assert groove_similarity(first, second) == pytest.approx(np.mean(pairs))
    assert groove_similarity(first[:1], first[:1]) == 1 and groove_similarity(first, ~first[:1]) < 0.6


def test_what_is_moved_in_pitch_or_time_is_less_alike(song):
    span = span_of(song, programs=(73,))
    around = span.surroundings()

    def similarity(comparison, score):
        return comparison.distance(comparison.feature(around), comparison.feature(score))

    real = span.removed
    assert similarity(CHROMA, real.shift_pitch(1)) < similarity(CHROMA, real) - 0.1
    assert similarity(CHROMA, real.shift_pitch(12)) == pytest.approx(similarity(CHROMA, real))
    assert similarity(CHROMA, around) == pytest.approx(1)
    late = real.copy()
    late.tracks[0].notes = [Note(note.time + 120, note.duration, note.pitch, 64) for note in real.tracks[0].notes]
    assert similarity(GROOVE, late) < similarity(GROOVE, real) - 0.1


def test_the_real_bars_are_right_and_a_copy_repeats(song):
    span = span_of(song)
    silent = RefusedFile("no_bar_before", "none")
    judged = judge_span(span, {"real": span.removed, "copy": copy_before(span), "none": silent})
    names = {each.name for each in measures()}
    assert names == {"note_f1", "note_f1_offsets", "repetition", "chroma", "groove", "pitch", "duration", "harmony"}
    real, copy, none = judged["real"], judged["copy"], judged["none"]
    assert set(real.values) == set(copy.values) == names and not real.undefined
    assert real.values["note_f1"] == real.values["note_f1_offsets"] == copy.values["repetition"] == 1
    assert copy.values["note_f1"] == real.values["repetition"] == note_f1(span.removed, copy_before(span)) < 1
    assert (real.repeats, copy.repeats, none.repeats) == (False, True, None)
    assert real.notes == span.removed.note_num() and none.notes is None
    assert none.undefined == dict.fromkeys(names, "no_bar_before") and not none.values


def test_what_is_not_defined_says_why(song):
    drums = judge_span(span_of(song, programs=(-1,)), {"real": span_of(song, programs=(-1,)).removed})["real"]
    assert set(drums.values) == {"note_f1", "note_f1_offsets", "repetition", "groove"}
    assert set(drums.undefined.values()) == {"surroundings: drums_only"}
    first = judge_span(span_of(song, 0, 4), {"silent": Score(480)})["silent"]
    assert first.values == {"note_f1": 0, "note_f1_offsets": 0} and first.repeats is None
    assert first.undefined.pop("repetition") == "no_bar_before"
    assert set(first.undefined.values()) == {"infill: no_notes"}
    added = judge_span(span_of(song, programs=(99,)), {"silent": Score(480)})["silent"]
    assert added.values == {"note_f1": 1, "note_f1_offsets": 1, "repetition": 1} and added.repeats is False
    assert set(added.undefined.values()) == {"surroundings: no_notes"}
