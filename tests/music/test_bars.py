"""Bar lines beside fractions."""

import random
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from miditok.utils import get_bars_ticks
from symusic import Note, Score, TimeSignature, Track

from neuromusic_hf.metrics import harmonic_reduction
from neuromusic_hf.music.bars import bar_starts


def score_of(tpq, meters, onsets=()):
    score = Score(tpq)
    score.time_signatures.extend([TimeSignature(*meter) for meter in meters])
    score.tracks.append(Track())
    score.tracks[0].notes.extend([Note(onset, 1, 60, 64) for onset in onsets])
    return score


def naive_bars(tpq, meters, end):
    """One bar after the other, in fractions."""
    meters = {0: (4, 4)} | {time: meter for time, *meter in meters}
    bars = []
    for time in sorted(meters):
        numerator, denominator = meters[time]
        until = min([other for other in meters if other > time] + [end])
        line = Fraction(time)
        while floor(line + Fraction(1, 2)) < until:
            bars.append(floor(line + Fraction(1, 2)))
            line += Fraction(4 * tpq * numerator, denominator)
    return bars


@pytest.mark.parametrize("tpq", [1, 10, 24, 96, 220, 480, 32767])
@pytest.mark.parametrize("meter", [(3, 16), (5, 32), (7, 64), (1, 128), (4, 4), (13, 8)], ids=str)
def test_the_thousandth_bar_is_where_fractions_say(tpq, meter):
    bar = Fraction(4 * tpq * meter[0], meter[1])
    bars = bar_starts(score_of(tpq, [(0, *meter)]), floor(1000 * bar) + 2)
    assert bars[1000] == floor(1000 * bar + Fraction(1, 2))
    assert np.array_equal(bars[:1001], [floor(number * bar + Fraction(1, 2)) for number in range(1001)])


@pytest.mark.parametrize("seed", range(30))
def test_meters_begin_bars_where_they_stand(seed):
    draw = random.Random(seed)
    tpq, end = draw.choice([1, 7, 10, 24, 96]), draw.randrange(1, 3000)
    meters = [(draw.randrange(2000), draw.randrange(1, 14), 2 ** draw.randrange(8)) for _ in range(draw.randrange(6))]
    if draw.random() < 0.5:
        meters.append((0, 5, 16))
    found = bar_starts(score_of(tpq, meters), end).tolist()
    assert found == naive_bars(tpq, meters, end)


def test_bars_of_whole_ticks_are_those_of_miditok():
    score = score_of(96, [(0, 3, 4), (864, 6, 8), (2016, 4, 4)], onsets=[5, 2400])
    assert bar_starts(score).tolist() == get_bars_ticks(score, only_notes_onsets=True)


def test_without_an_end_the_last_bar_holds_the_last_onset():
    assert bar_starts(score_of(10, [(0, 3, 16)], onsets=[22])).tolist() == [0, 8, 15]
    assert bar_starts(score_of(10, [(0, 3, 16)], onsets=[23])).tolist() == [0, 8, 15, 23]
    assert bar_starts(score_of(10, [], onsets=[0])).tolist() == [0]
    assert len(bar_starts(score_of(10, [(0, 3, 16)]))) == 0


def test_a_meter_of_no_notes_and_one_before_the_beginning_do_no_harm():
    assert bar_starts(score_of(10, [(-7, 2, 4), (20, 0, 4), (40, 3, 4)]), 80).tolist() == [0, 20, 40, 70]


def test_bars_without_number_are_refused():
    with pytest.raises(ValueError, match="bars before tick 268435455: a score may have 16,777,216"):
        bar_starts(score_of(1, [(0, 1, 128)]), 2**28 - 1)


def test_harmony_has_a_word_for_each_bar_of_half_ticks():
    score = score_of(10, [(0, 3, 16)], onsets=[0, 7500])
    assert len(harmonic_reduction(score)) == 1001
