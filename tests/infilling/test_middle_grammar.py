"""The grammar of middles: real ones keep it, and what is drawn under it fills its span, whatever the cut."""

import numpy as np
import pytest
from grammar.following import NAMES
from infilling.middles import draw, draw_cuts, filled_after, follow, padded, quantised, with_infill_tokens, words_of
from tokenization.sample_scores import SCORES

from neuromusic_hf import MidiProcessor
from neuromusic_hf.infilling import MiddleGrammar
from neuromusic_hf.music.score_arrays import ScoreArrays

RESTRICTIONS = ({"allowed_programs": [33], "pitch_range": (40, 41)}, {"allowed_programs": [-1]})
BARE = {"use_chords": False, "use_tempos": False, "use_time_signatures": False}
SETTINGS = (
    {},
    {"use_time_signatures": False},
    {"use_tempos": False, "use_velocities": False},
    {"use_programs": False},
    {"use_programs": False, **BARE},
)


def assert_keeps(processor, middle, cuts):
    """Real middles are legal, and EOM exactly where their spans are filled."""
    samples = middle.encoder.samples(cuts)
    found = follow(middle, processor, cuts, samples)
    for (piece, cut), sample, (legal, may_end) in zip(cuts, samples, found, strict=True):
        words = words_of(processor, [*sample.prefix, *sample.middle[: [*legal, False].index(False) + 1]])
        assert all(legal), (cut, words[-12:])
        assert may_end == filled_after(processor, piece, cut, sample.prefix, sample.middle), cut


def assert_fills(processor, middle, cuts, mask=None, length=120):
    """What is drawn has no error, and lasts as long as the span; most middles get to their ends. Returns them."""
    samples = middle.encoder.samples(cuts)
    held = middle.logits_processor([middle.frame(*cut) for cut in cuts], mask)
    drawn = draw(held, processor, padded(processor, samples), length)
    for (ids, ended), sample, (piece, cut) in zip(drawn, samples, cuts, strict=True):
        assert not ended or filled_after(processor, piece, cut, sample.prefix, ids)[-1]
        whole = [*sample.prefix, *ids]
        if not middle.begins_anew:  # whose silences are closed with shifts that follow each other
            assert processor.music_tokenizer._tokens_errors(words_of(processor, whole)) == 0
        decoded = ScoreArrays.of(processor.decode(np.array(whole, np.int64)))
        before = len(ScoreArrays.of(processor.decode(np.array(sample.prefix, np.int64))))
        new = np.sort(decoded.onset)[before:] * piece.ticks_per_quarter / decoded.ticks_per_quarter + cut.begin
        assert ((cut.start <= new) & (new < cut.end)).all()
    assert sum(ended for _, ended in drawn) > len(cuts) / 2
    return [ids for ids, _ in drawn]


def test_real_middles_are_legal_and_may_end_where_they_do(every_case, cut_scores):
    processor, middle = every_case
    cuts = draw_cuts([quantised(processor, score) for score in cut_scores], 2, seed=0)
    assert len(cuts) > 20
    assert_keeps(processor, middle, cuts)


def test_what_is_drawn_fills_its_span(case, cut_scores):
    processor, middle = case
    assert_fills(processor, middle, draw_cuts([quantised(processor, score) for score in cut_scores], 2, seed=7))


@pytest.mark.parametrize(
    "restriction", [{"allowed_programs": [33], "pitch_range": (40, 41)}, {"allowed_programs": [-1]}]
)
def test_masks_restrict_middles_and_never_their_ends(case, cut_scores, restriction):
    processor, middle = case
    mask = middle.grammar.vocabulary_mask(**restriction)
    cuts = draw_cuts([quantised(processor, score) for score in cut_scores], 1, seed=8)
    words = {word for ids in assert_fills(processor, middle, cuts, mask) for word in words_of(processor, ids)}
    programs = {f"Program_{program}" for program in restriction["allowed_programs"]}
    assert {word for word in words if word.startswith("Program")} == programs
    assert {word for word in words if word.startswith("Pitch_")} <= {"Pitch_40", "Pitch_41"}


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_other_settings(name, settings):
    settings = {"beat_res": {(0, 2): 12, (2, 8): 4}} | settings
    processor = with_infill_tokens(MidiProcessor.from_tokenization(name, **settings))
    middle = MiddleGrammar(processor)
    names = ("many_meters", "long_notes_and_gaps", "waltz_tpq_220")
    pieces = [quantised(processor, SCORES[score]()) for score in names]
    assert_keeps(processor, middle, draw_cuts(pieces, 2, seed=9))
    assert_fills(processor, middle, draw_cuts(pieces, 2, seed=10), length=100)
