"""Where middles are drawn: at every place of a piece, of every length, for all tracks and for one program."""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from music import make_score, make_song
from tokenization.sample_scores import DRUMS, build_score, free_notes

from neuromusic_hf.infilling.drawing import LONGEST_MIDDLE, PieceInBars, Window, draw_windows, lines_of_bars
from neuromusic_hf.music.score_arrays import ScoreArrays


def in_bars(score, num_ids=1000):
    return PieceInBars.of(ScoreArrays.of(score), num_ids)


def drawn(bars, context_length=10_000, by_program=True, seeds=range(1)):
    """The windows of each seed."""
    return [
        draw_windows(bars, context_length, by_program=by_program, random=np.random.default_rng(seed)) for seed in seeds
    ]


def programs_of(piece, notes):
    return set(piece.programs[piece.track[notes]].tolist())


@pytest.fixture(scope="module")
def song():
    """24 bars of four instruments."""
    return in_bars(make_song(0, bars=24))


@pytest.fixture(scope="module")
def solo():
    return in_bars(build_score(480, [(0, [(beat, 1, 60, 80) for beat in range(80)])]))


@pytest.mark.parametrize("context_length", [40, 100, 333, 10_000])
def test_windows_cover_a_piece_and_hold_a_middle_of_one_to_eight_bars(song, context_length):
    for windows in drawn(song, context_length, seeds=range(20)):
        assert (windows[0].begin, windows[-1].finish) == (0, len(song))
        borders = [(window.finish, after.begin) for window, after in zip(windows, windows[1:], strict=False)]
        assert all(0 <= finish - begin <= 6 for finish, begin in borders)
        for window in windows:
            assert window.begin <= window.start < window.end <= window.finish
            assert window.finish - window.begin >= 4
            assert 1 <= window.end - window.start <= min(LONGEST_MIDDLE, 2 * (window.finish - window.begin) / 3)


def test_windows_are_as_long_as_the_context_and_some_are_shorter(song):
    told = [
        song.ids[window.begin : window.finish].sum()
        for windows in drawn(song, 600, seeds=range(200))
        for window in windows
    ]
    assert max(told) <= 600
    assert np.mean(np.array(told) > 450) > 0.3 and np.mean(np.array(told) < 300) > 0.15


def test_a_piece_that_fits_is_mostly_one_window(song):
    lengths = Counter(len(windows) for windows in drawn(song, seeds=range(200)))
    assert lengths[1] > 120 and lengths[2] > 10


def test_middles_begin_at_every_place_as_often(solo):
    """Of a piece that fits, in windows of all of it."""
    starts, ends = Counter(), Counter()
    for windows in drawn(solo, seeds=range(6000)):
        if len(windows) == 1 and windows[0].end - windows[0].start == 4:
            starts[windows[0].start] += 1
            ends[windows[0].finish - windows[0].end] += 1
    assert sorted(starts) == sorted(ends) == list(range(len(solo) - 3))
    assert max(starts.values()) < 2 * min(starts.values()) + 20


def test_every_bar_of_a_long_piece_is_in_middles_as_often_but_near_its_ends(solo):
    """Borders of windows are drawn too: no bar is always at one."""
    counted = np.zeros(len(solo))
    for windows in drawn(solo, 300, seeds=range(2000)):
        for window in windows:
            counted[window.start : window.end] += 1
    inner = counted[4:-4]
    assert inner.min() > 0.65 * inner.max() and counted.min() > 0


def test_there_is_music_on_both_sides_but_at_the_ends_of_a_piece(song):
    windows = [window for windows in drawn(song, 300, seeds=range(300)) for window in windows]
    first = [window.start == window.begin for window in windows if window.begin > 0]
    last = [window.end == window.finish for window in windows if window.finish < len(song)]
    assert 0 < np.mean(first) < 0.15 and 0 < np.mean(last) < 0.15
    at_ends = [window.start == 0 for window in windows if window.begin == 0]
    assert 0.15 < np.mean(at_ends) < 0.6


def test_middles_are_of_every_length(song):
    lengths = Counter(window.end - window.start for windows in drawn(song, seeds=range(800)) for window in windows)
    assert sorted(lengths) == list(range(1, LONGEST_MIDDLE + 1))
    assert lengths[8] > 50


def test_half_of_the_middles_are_of_programs_that_play_there_one_or_several(song):
    windows = [window for windows in drawn(song, seeds=range(900)) for window in windows]
    asked = Counter(window.programs for window in windows)
    all_tracks, names = asked.pop(None), (40, 41, 42, 73)
    assert 0.42 < all_tracks / len(windows) < 0.58
    assert set(asked) == {frozenset(some) for count in (1, 2, 3) for some in combinations(names, count)}
    of_one = sum(count for programs, count in asked.items() if len(programs) == 1)
    assert 0.6 < of_one / asked.total() < 0.74
    of_two = sum(count for programs, count in asked.items() if len(programs) == 2)
    assert 0.35 < of_two / (asked.total() - of_one) < 0.65
    for window in windows:
        there = programs_of(song.piece, window.cut(song).removed(song.piece))
        assert there and window.programs in (None, frozenset(there))


def test_where_several_are_asked_for_another_one_plays_in_the_middle():
    late = [(40 + beat, 1, 40, 80) for beat in range(40)]
    early, always = [(beat, 1, 60, 80) for beat in range(40)], [(beat, 1, 70, 80) for beat in range(80)]
    bars = in_bars(build_score(480, [(33, late), (0, early), (40, always), (41, always)]))
    for windows in drawn(bars, seeds=range(300)):
        for window in windows:
            here = programs_of(bars.piece, replace(window.cut(bars), programs=None).removed(bars.piece))
            if window.programs is not None and len(window.programs) > 1:
                assert window.programs < here


def test_of_a_duet_one_program_is_asked_for():
    bars = in_bars(make_score(0))
    asked = Counter(window.programs for windows in drawn(bars, seeds=range(200)) for window in windows)
    assert set(asked) == {None, frozenset({0}), frozenset({32})}


def test_drums_are_asked_for_too_and_a_program_only_where_it_plays():
    bass_at_the_end = [(60 + beat, 1, 40, 80) for beat in range(20)]
    drums = [(beat, 0.25, 36, 80) for beat in range(80)]
    bars = in_bars(build_score(480, [(33, bass_at_the_end), (DRUMS, drums)]))
    windows = [window for windows in drawn(bars, seeds=range(300)) for window in windows]
    asked = Counter(window.programs for window in windows)
    assert set(asked) == {None, frozenset({33}), frozenset({DRUMS})}
    assert all(window.end > 15 for window in windows if window.programs == {33})


def test_a_solo_piece_and_a_tokenizer_without_programs_ask_for_all_tracks(song, solo):
    for bars, by_program in ((solo, True), (song, False)):
        windows = [window for windows in drawn(bars, by_program=by_program, seeds=range(50)) for window in windows]
        assert all(window.programs is None for window in windows)


def test_silent_middles_are_rare():
    notes = [(4 * bar, 1, 60, 80) for bar in (*range(20), *range(60, 80))]
    bars = in_bars(build_score(480, [(0, notes)]))
    windows = [window for windows in drawn(bars, seeds=range(400)) for window in windows]
    silent = [not window.cut(bars).removed(bars.piece).any() for window in windows]
    assert 0 < np.mean(silent) < 0.2


def test_a_narrower_window_loses_bars_at_its_far_ends(song):
    for windows in drawn(song, 500, seeds=range(20)):
        for window in windows:
            seen = []
            while window is not None:
                assert window.begin <= window.start < window.end <= window.finish
                seen.append(window.finish - window.begin)
                narrower = window.narrowed(song, 0.01)
                if narrower is not None and window.finish - window.begin > window.end - window.start:
                    assert (narrower.start, narrower.end) == (window.start, window.end)
                window = narrower
            assert seen == list(range(seen[0], 0, -1))


def test_so_many_bars_are_lost_as_hold_the_share(song):
    window = Window(0, 10, 12, len(song))
    narrower = window.narrowed(song, 0.25)
    lost = song.ids.sum() - song.ids[narrower.begin : narrower.finish].sum()
    assert 0.25 * song.ids.sum() <= lost < 0.25 * song.ids.sum() + song.ids.max()
    assert abs((narrower.start - narrower.begin) - (narrower.finish - narrower.end)) <= 1


METERS = [
    ((0, 4, 4),),
    ((0, 3, 4), (10, 6, 8), (13, 5, 4)),
    ((0, 7, 16), (30, 2, 2)),
    (),
]


@pytest.mark.parametrize("meters", METERS)
def test_bars_begin_where_meters_say_and_the_last_one_is_whole(meters):
    piece = ScoreArrays.of(build_score(48, [(0, free_notes(3, 60, 50))], meters=meters))
    last, expected, time = int(piece.onset.max()), [], 0
    said = {round(start * 48): numerator * 4 * 48 // denominator for start, numerator, denominator in meters}
    length = 4 * 48
    while not expected or expected[-1] <= last:
        length = said.get(time, length)
        expected.append(time)
        time = min([time + length, *(start for start in said if start > time)])
    assert lines_of_bars(piece).tolist() == expected


def test_a_piece_of_one_bar_is_its_own_middle():
    bars = in_bars(build_score(480, [(0, [(0, 1, 60, 80)])]))
    ((window,),) = drawn(bars)
    assert window == Window(0, 0, 1, 1)
    cut = window.cut(bars)
    assert (cut.begin, cut.start, cut.end, cut.finish) == (0, 0, 1920, None)
    assert window.narrowed(bars, 0.5) is None
