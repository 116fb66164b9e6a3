"""Which meters are written of a score, and that bar lines stay where they were."""

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest
from tokenization.sample_scores import build_score, meter_list, note_list

from neuromusic_hf import MidiProcessor, load_corpus
from neuromusic_hf.music.bars import meters_that_count
from neuromusic_hf.tokenization.written_meters import Meter, known_meter, written_meters

OLD_METERS = {4: [1, 2, 3, 4, 5, 6, 7], 8: [3, 5, 6, 7, 9, 12]}
ORDINARY = [
    *((numerator, 2) for numerator in (1, 2, 3, 4, 5, 6)),
    *((numerator, 4) for numerator in range(1, 13)),
    *((numerator, 8) for numerator in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15)),
    *((numerator, 16) for numerator in (3, 4, 5, 6, 7, 9, 11, 12, 15)),
]
MELODY = [(0, [(Fraction(step, 2), Fraction(1, 2), 60 + step % 12, 63) for step in range(200)])]


def score_in(meters, tpq=480):
    return build_score(tpq, MELODY, meters=meters)


def bar_lines(score):
    """In quarter notes, up to the last onset; read naively."""
    meters = meter_list(score)
    meters = meters if meters and meters[0][0] == 0 else [(Fraction(0), 4, 4), *meters]
    last = max(note[0] for note in note_list(score))
    found = []
    for (start, numerator, denominator), (end, *_) in itertools.pairwise([*meters, (last + 1, 4, 4)]):
        length = Fraction(4 * numerator, denominator)
        found += [start + length * count for count in range(math.ceil((end - start) / length))]
    return [line for line in found if line <= last]


def decoded(processor, score):
    return processor.decode(processor.encode(score))


@pytest.mark.parametrize("name", ["REMI", "TSD"])
def test_every_ordinary_meter_has_a_token_and_its_own_bars(processors, name):
    for meter in ORDINARY:
        score = score_in([(0, *meter)])
        back = decoded(processors[name], score)
        assert meter_list(back) == [(0, *meter)]
        assert note_list(back) == note_list(score) and bar_lines(back) == bar_lines(score)


def test_every_meter_of_folk_tunes_is_written(processors, tmp_path):
    corpus = load_corpus("folk", cache_dir=tmp_path, max_pieces=150, split_shares=(0.4, 0.3, 0.3))
    scores = [row["midi"] for rows in corpus.values() for row in rows]
    for score in scores:
        assert meter_list(processors["REMI"].quantise(score)) == meter_list(score)
    assert {(2, 2), (6, 8), (4, 4)} <= {meter[1:] for score in scores for meter in meter_list(score)}


CHANGES_WITHIN_BARS = {
    "a pickup of one beat": ([(0, 1, 4), (1, 4, 4)], [(0, 1, 4), (1, 4, 4)]),
    "a pickup said as 4/4 twice": ([(0, 4, 4), (1, 4, 4)], [(0, 1, 4), (1, 4, 4)]),
    "a pickup before the first meter": ([(Fraction(3, 2), 6, 8)], [(0, 3, 8), (Fraction(3, 2), 6, 8)]),
    "a bar of 4/4 cut after 3 beats": ([(0, 4, 4), (7, 3, 4)], [(0, 4, 4), (4, 3, 4)]),
    "a bar of 6/8 cut after 5 eighths": (
        [(0, 6, 8), (Fraction(11, 2), 2, 4)],
        [(0, 6, 8), (3, 5, 8), (Fraction(11, 2), 2, 4)],
    ),
    "cut after 5 sixteenths": (
        [(0, 4, 4), (Fraction(21, 4), 3, 4)],
        [(0, 4, 4), (4, 5, 16), (Fraction(21, 4), 3, 4)],
    ),
    "two changes in one bar": ([(0, 4, 4), (1, 3, 4), (2, 4, 4)], [(0, 1, 4), (2, 4, 4)]),
    "the same meter again": ([(0, 3, 4), (4, 3, 4)], [(0, 3, 4), (3, 1, 4), (4, 3, 4)]),
}


@pytest.mark.parametrize("case", CHANGES_WITHIN_BARS)
@pytest.mark.parametrize("name", ["REMI", "TSD"])
def test_a_bar_cut_short_gets_a_meter_of_its_own(processors, name, case):
    meters, expected = CHANGES_WITHIN_BARS[case]
    score = score_in(meters)
    back = decoded(processors[name], score)
    assert meter_list(back) == expected
    assert bar_lines(back) == bar_lines(score) and note_list(back) == note_list(score)


@pytest.mark.parametrize("name", ["REMI", "TSD"])
def test_bar_lines_are_where_they_were_whatever_meters_come_when(processors, name):
    """Changes are on sixteenths. There is one bar line more where a cut bar has no meter of its own."""
    rng = random.Random(3)
    for _ in range(30):
        times = sorted(rng.sample(range(1, 400), rng.randrange(1, 8)))
        meters = [(Fraction(time, 4), *rng.choice(ORDINARY)) for time in [0, *times]]
        score = score_in(meters)
        back = decoded(processors[name], score)
        assert set(bar_lines(score)) <= set(bar_lines(back))
        assert len(bar_lines(back)) <= len(bar_lines(score)) + len(times)
        assert note_list(back) == note_list(score)


@pytest.mark.parametrize("tpq", [15, 25, 96, 221])
def test_bars_of_fractional_ticks_do_not_drift(processors, tpq):
    """3/8 is 22.5 ticks of 15 a quarter. Changes of meter are where files have them, rounded to ticks."""
    for meter in ((3, 8), (5, 16), (9, 16)):
        length = Fraction(4 * meter[0], meter[1])
        score = score_in([(0, *meter), (41 * length, 2, 4), (41 * length + 20, *meter)], tpq)
        back = decoded(processors["REMI"], score)
        assert meter_list(back) == [(0, *meter), (41 * length, 2, 4), (41 * length + 20, *meter)]


@pytest.mark.parametrize(
    "meter, written",
    [
        ((16, 16), (8, 8)),
        ((28, 4), (14, 4)),
        ((21, 8), (7, 8)),
        ((2, 1), (4, 2)),
        ((12, 32), (6, 16)),
        ((18, 16), (9, 8)),
    ],
)
def test_a_meter_without_a_token_keeps_its_bar_lines(processors, meter, written):
    score = score_in([(0, *meter)])
    back = decoded(processors["REMI"], score)
    assert meter_list(back) == [(0, *written)]
    assert set(bar_lines(score)) <= set(bar_lines(back))


def test_where_no_known_meter_has_the_bar_lines_the_one_before_goes_on(processors):
    for meter in ((17, 16), (13, 32), (37, 8)):
        assert meter_list(decoded(processors["REMI"], score_in([(0, 3, 4), (6, *meter)]))) == [(0, 3, 4)]
        assert meter_list(decoded(processors["REMI"], score_in([(0, *meter)]))) == [(0, 4, 4)]


def test_a_cut_bar_without_a_token_becomes_two_bars_or_the_change_waits_as_in_miditok():
    """Then bar lines are right again from the next change on."""
    processor = MidiProcessor.from_tokenization("REMI", time_signature_range=OLD_METERS)
    score = score_in([(0, 4, 4), (Fraction(31, 4), 3, 4), (Fraction(51, 4), 4, 4)])
    assert meter_list(decoded(processor, score))[:2] == [(0, 4, 4), (8, 3, 4)]
    score = score_in([(0, 7, 4), (Fraction(11, 2), 3, 4)])
    assert meter_list(decoded(processor, score)) == [(0, 4, 4), (4, 3, 8), (Fraction(11, 2), 3, 4)]


def test_a_change_off_the_bar_line_by_less_than_half_a_position_is_at_the_bar_line(processors):
    for off in (-0.03, 0.03):
        score = score_in([(0, 4, 4), (8 + off, 3, 4), (14 + off, 4, 4)])
        assert meter_list(decoded(processors["TSD"], score)) == [(0, 4, 4), (8, 3, 4), (14, 4, 4)]


def test_of_several_meters_at_one_tick_the_last_counts_and_one_of_no_beats_is_none(processors):
    tokenizer = processors["REMI"].music_tokenizer
    meters = meters_that_count(np.array([(0, 3, 4), (0, 4, 4), (1920, 0, 4), (3840, 3, 4)]).T)
    assert written_meters(tokenizer, meters, 480) == [(0, Meter(4, 4)), (8, Meter(3, 4))]


def test_the_nearest_beat_is_chosen_among_meters_as_long():
    known = [Meter(2, 4), Meter(4, 8), Meter(8, 16), Meter(7, 4)]
    assert known_meter(Meter(1, 2), known) == Meter(2, 4)
    assert known_meter(Meter(16, 32), known) == Meter(8, 16)
    assert known_meter(Meter(28, 4), known) == Meter(7, 4)
    assert known_meter(Meter(3, 8), known) is None


def test_music_in_two_two_keeps_what_music_in_four_four_keeps(processors):
    """32nds, triplets, and lengths; each lands where it lands in 4/4, or nearer to it than a 32nd's half."""
    notes = [(Fraction(step, 8), Fraction(1, 8), 60 + step % 2, 63) for step in range(64)]
    notes += [(8 + Fraction(step, 3), Fraction(1, 3), 70, 63) for step in range(24)]
    for name, processor in processors.items():
        halves, quarters = (
            note_list(decoded(processor, build_score(480, [(0, notes)], meters=[(0, *meter)])))
            for meter in ((2, 2), (4, 4))
        )
        assert len(halves) == len(quarters) == len(notes), name
        assert halves[:64] == quarters[:64] == note_list(build_score(480, [(0, notes[:64])]))
        for half, note in zip(halves[64:], notes[64:], strict=True):
            assert abs(half[0] - note[0]) <= Fraction(1, 16) and abs(half[1] - note[1]) <= Fraction(1, 16)
