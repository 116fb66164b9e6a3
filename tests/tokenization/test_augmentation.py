import itertools

import pytest
from tokenization.sample_scores import DRUMS, SCORES, build_score, note_list, random_score, tempo_list

from neuromusic_hf.tokenization import Augmentation, Variant

PIANO_RANGE = (21, 109)


def draw(score, content_hash="piece", pitch_range=PIANO_RANGE, **how):
    return list(Augmentation(**how).draw(score, content_hash, pitch_range))


def test_a_shift_moves_every_note_but_drums_and_leaves_the_score_alone():
    score = SCORES["band"]()
    before = note_list(score)
    shifted = note_list(Variant(pitch_shift=3).apply(score))
    expected = [
        (onset, length, pitch + (0 if program == DRUMS else 3), velocity, program)
        for onset, length, pitch, velocity, program in before
    ]
    assert {note[-1] for note in before} == {DRUMS, 0, 33, 73}
    assert shifted == sorted(expected)
    assert note_list(score) == before


@pytest.mark.parametrize("shift", [40, -40])
def test_velocity_stays_within_1_and_127(shift):
    score = SCORES["band"]()
    before = note_list(score)
    changed = note_list(Variant(velocity_shift=shift).apply(score))
    expected = [(*rest, min(127, max(1, velocity + shift)), program) for *rest, velocity, program in before]
    assert changed == sorted(expected)
    assert {1 if shift < 0 else 127} < {note[3] for note in changed}
    assert note_list(score) == before


def test_a_tempo_factor_scales_every_tempo_and_moves_no_note():
    score = SCORES["many_meters"]()
    faster = Variant(tempo_factor=1.1).apply(score)
    expected = [(time, pytest.approx(qpm * 1.1, rel=1e-4)) for time, qpm in tempo_list(score)]
    assert len(expected) == 5 and tempo_list(faster) == expected
    assert note_list(faster) == note_list(score)
    assert tempo_list(score) == tempo_list(SCORES["many_meters"]())


def test_a_file_that_names_no_tempo_is_scaled_from_120():
    notes = [(0, [(0, 1, 60, 64), (8, 1, 60, 64)])]
    assert tempo_list(Variant(tempo_factor=1.25).apply(build_score(480, notes, ()))) == [(0, 150)]
    late = build_score(480, notes, ((4, 60),))
    assert tempo_list(Variant(tempo_factor=1.25).apply(late)) == [(0, 150), (4, 75)]


def test_the_first_is_the_piece_as_it_is_and_the_number_is_as_asked():
    score = random_score(0)
    assert draw(score) == [Variant()]
    variants = draw(score, variants=4)
    assert variants[0] == Variant() and len(variants) == len(set(variants)) == 5
    assert note_list(variants[0].apply(score)) == note_list(score)


def test_the_draw_depends_on_seed_and_content_alone():
    score = random_score(0)
    assert draw(score, "a", variants=3, seed=1) == draw(score, "a", variants=3, seed=1)
    assert draw(score, "a", variants=3, seed=1) != draw(score, "a", variants=3, seed=2)
    assert draw(score, "a", variants=3, seed=1) != draw(score, "b", variants=3, seed=1)
    assert draw(score, "a", variants=5, seed=1)[:4] == draw(score, "a", variants=3, seed=1)


def test_variants_reach_their_limits_and_go_no_further():
    score = build_score(480, [(0, [(0, 1, 60, 64)])])
    limits = {"max_pitch_shift": 3, "max_velocity_shift": 5, "max_tempo_change": 0.2}
    drawn = [variant for seed in range(20) for variant in draw(score, variants=20, seed=seed, **limits)[1:]]
    assert {variant.pitch_shift for variant in drawn} == set(range(-3, 4))
    assert {variant.velocity_shift for variant in drawn} == set(range(-5, 6))
    tempos = [variant.tempo_factor for variant in drawn]
    assert 1 / 1.2 <= min(tempos) < 0.86 and 1.17 < max(tempos) <= 1.2


def test_no_shift_leaves_the_pitches_of_the_tokenizer():
    low_and_high = build_score(480, [(0, [(0, 1, 23, 64), (1, 1, 108, 64)]), (DRUMS, [(0, 1, 120, 64)])])
    shifts = {variant.pitch_shift for seed in range(30) for variant in draw(low_and_high, variants=5, seed=seed)}
    assert shifts == {-2, -1, 0, 1}
    outside = build_score(480, [(0, [(0, 1, 10, 64), (1, 1, 120, 64)])])
    assert {variant.pitch_shift for variant in draw(outside, variants=20)} == {0}


def test_drums_alone_and_silence_are_never_shifted():
    for score in (SCORES["drums_only"](), build_score(480, [(0, [])])):
        for variant in draw(score, variants=10):
            assert variant.pitch_shift == 0
            assert variant.apply(score).note_num() == score.note_num()


def test_changes_of_size_zero_change_nothing():
    limits = {"max_pitch_shift": 0, "max_velocity_shift": 0, "max_tempo_change": 0}
    assert set(draw(random_score(0), variants=3, **limits)) == {Variant()}


@pytest.mark.parametrize(
    "wrong", [*itertools.product(["variants", "max_pitch_shift", "max_velocity_shift", "max_tempo_change"], [-1])]
)
def test_negative_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{wrong[0]}=-1 is negative"):
        Augmentation(**dict([wrong]))


def test_a_tempo_change_is_a_share():
    with pytest.raises(ValueError, match="max_tempo_change=10 is relative"):
        Augmentation(max_tempo_change=10)


def test_tokens_of_a_variant_are_those_of_the_changed_music(processor):
    """On the grid, a shift commutes with the tokenizer."""
    score = random_score(1)
    plain = note_list(processor.decode(processor.encode(score)))
    shifted = note_list(processor.decode(processor.encode(Variant(pitch_shift=2).apply(score))))
    moved = [
        (onset, length, pitch + 2 * (program != DRUMS), velocity, program)
        for onset, length, pitch, velocity, program in plain
    ]
    assert shifted == sorted(moved) != plain
