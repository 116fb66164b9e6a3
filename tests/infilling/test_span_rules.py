"""The rules of spans, word by word, and over ids as word by word."""

import numpy as np
import pytest
import torch
from infilling.middles import draw_cuts, padded, quantised
from tokenization.sample_scores import SCORES, build_score

from neuromusic_hf.infilling import Cut
from neuromusic_hf.infilling.span_rules import SpanRules

NOTE = "Program_0 Pitch_60 Velocity_79 Duration_1.0.16"
METERS, TEMPOS = ((0, 4, 4), (8, 6, 8), (11, 15, 16)), ((0, 120), (8, 90), (9, 60))
"""Two bars, one bar, and bars of 15/16; the tempo changes with the second meter, and once more after it."""


def next_words(middle, processor, piece, cut, words, of="TimeShift Bar TimeSig Tempo Program"):
    """Which words may come after those of a middle, but for notes; EOM with them."""
    ids = processor.music_tokenizer.vocab
    (sample,) = middle.encoder.samples([(piece, cut)])
    row = padded(processor, [sample])[0].tolist() + [ids[word] for word in words.split()]
    held = middle.logits_processor([middle.frame(piece, cut)])
    legal = held(torch.tensor([row]), torch.zeros(1, processor.vocab_size))[0] == 0
    found = {word for word, index in ids.items() if legal[index]}
    known = {word for word in found if word.partition("_")[0] in of.split()}
    return known | ({"EOM_None"} if legal[processor.infill_ids.end] else set())


@pytest.fixture(scope="module")
def score():
    """A note on every beat but those of the third bar, up to quarter 22."""
    notes = [(beat, 1, 60 + beat, 80) for beat in range(22) if not 8 <= beat < 11]
    return build_score(480, [(0, notes)], tempos=TEMPOS, meters=METERS)


def test_remi_has_its_bars_with_their_meters(middle_grammars, score):
    processor, middle = middle_grammars("REMI")
    piece = quantised(processor, score)
    cut = Cut(0, *(quarter * piece.ticks_per_quarter for quarter in (4, 11)))

    def after(words):
        return next_words(middle, processor, piece, cut, words)

    note = f"Position_3 {NOTE}"
    assert after("") == {"Bar_None"}
    assert after("Bar_None") == {"TimeSig_4/4"}
    assert after("Bar_None TimeSig_4/4") == {"Bar_None"}
    assert after(f"Bar_None TimeSig_4/4 {note}") >= {"Bar_None", "Program_0"}
    assert after(f"Bar_None TimeSig_4/4 {note} Bar_None") == {"TimeSig_6/8"}
    assert after("Bar_None TimeSig_4/4 Bar_None TimeSig_6/8") == {"EOM_None"}
    assert "EOM_None" not in after("Bar_None TimeSig_4/4 Bar_None TimeSig_6/8 Position_0")
    assert "Tempo_90.0" not in after("Bar_None TimeSig_4/4 Bar_None TimeSig_6/8 Position_0")
    assert "EOM_None" not in after("Bar_None TimeSig_4/4 Bar_None TimeSig_6/8 Position_0 Program_0 Pitch_60")
    full = after(f"Bar_None TimeSig_4/4 Bar_None TimeSig_6/8 {note}")
    assert "EOM_None" in full and "Bar_None" not in full


def test_a_tempo_that_begins_with_the_middle_may_be_said_there_and_no_other(middle_grammars, score):
    for name, start in (("REMI", "Bar_None TimeSig_6/8 Position_0"), ("TSD", "TimeShift_1.0.16 TimeSig_6/8")):
        processor, middle = middle_grammars(name)
        piece = quantised(processor, score)
        cut = Cut(0, *(quarter * piece.ticks_per_quarter for quarter in (8, 11)))
        found = next_words(middle, processor, piece, cut, start)
        assert {word for word in found if word.startswith("Tempo")} == {"Tempo_90.0"}
        later = f"{start.replace('Position_0', 'Position_5')} TimeShift_1.0.16"
        words = later if name == "TSD" else later.removesuffix(" TimeShift_1.0.16")
        assert not any(word.startswith("Tempo") for word in next_words(middle, processor, piece, cut, words))


def test_the_opening_of_a_piece_is_that_of_the_file(middle_grammars, score):
    for name, bar in (("REMI", "Bar_None "), ("TSD", "")):
        processor, middle = middle_grammars(name)
        piece = quantised(processor, score)
        ticks = [quarter * piece.ticks_per_quarter for quarter in (8, 8, 11)]
        for cut in (Cut(0, 0, ticks[0]), Cut(*ticks)):
            meter, tempo = ("4/4", "120.0") if cut.start == 0 else ("6/8", "90.0")
            position = " Position_0" if bar else ""
            assert next_words(middle, processor, piece, cut, bar) == {f"TimeSig_{meter}"}
            assert next_words(middle, processor, piece, cut, f"{bar}TimeSig_{meter}{position}") == {f"Tempo_{tempo}"}
            opening = f"{bar}TimeSig_{meter}{position} Tempo_{tempo}"
            ended = "EOM_None" in next_words(middle, processor, piece, cut, opening)
            assert ended == (name == "REMI" and cut.start > 0)  # one bar, with nothing but its beginning


@pytest.mark.parametrize("meter", ["2/2", "6/8", "15/16"])
@pytest.mark.parametrize("name", ["REMI", "TSD"])
def test_a_middle_without_prefix_opens_a_piece_of_any_meter(name, meter, middle_grammars):
    processor, middle = middle_grammars(name)
    numerator, denominator = map(int, meter.split("/"))
    notes = [(beat, 1, 60, 80) for beat in range(16)]
    piece = quantised(processor, build_score(480, [(0, notes)], meters=((0, numerator, denominator),)))
    bar = 4 * piece.ticks_per_quarter * numerator // denominator
    cut = Cut(bar, bar, 2 * bar)
    words = (f"Bar_None TimeSig_{meter} Position_0" if name == "REMI" else f"TimeSig_{meter}") + " Tempo_120.0"
    assert next_words(middle, processor, piece, cut, "Bar_None" if name == "REMI" else "") == {f"TimeSig_{meter}"}
    last = (
        ""
        if name == "REMI"
        else {"2/2": " TimeShift_2.0.8", "6/8": " TimeShift_6.0.4"}.get(meter, " TimeShift_15.0.1")
    )
    assert "EOM_None" in next_words(middle, processor, piece, cut, words + last)


def test_shifts_of_tsd_lead_to_meters_and_to_the_end(middle_grammars, score):
    processor, middle = middle_grammars("TSD")
    piece = quantised(processor, score)
    cut = Cut(0, *(quarter * piece.ticks_per_quarter for quarter in (4, 11)))

    def after(words):
        return next_words(middle, processor, piece, cut, words)

    def shifts(words):
        lengths = [word.partition("_")[2].split(".") for word in after(words) if word.startswith("TimeShift")]
        return sorted(int(beats) + int(part) / int(resolution) for beats, part, resolution in lengths)

    assert not {"EOM_None", "Program_0"} & after("")  # a beat before the middle, where the prefix has its last note
    assert (min(shifts("")), max(shifts(""))) == (1, 5)
    assert after("TimeShift_1.0.16") > {"Program_0"} and max(shifts(f"TimeShift_1.0.16 {NOTE}")) == 4
    assert after("TimeShift_5.0.8") == {"TimeSig_6/8"}
    assert after("TimeShift_5.0.8 TimeSig_6/8") > {"Program_0"}
    assert max(shifts("TimeShift_5.0.8 TimeSig_6/8")) == 6
    assert after("TimeShift_5.0.8 TimeSig_6/8 TimeShift_6.0.4") == {"EOM_None"}
    assert after(f"TimeShift_5.0.8 TimeSig_6/8 TimeShift_5.7.8 {NOTE}") >= {"TimeShift_0.1.16", "TimeShift_0.2.16"}


def test_a_shift_after_which_the_middle_is_out_of_reach_may_not_come(middle_grammars):
    """After one of 14 beats, which would be of 15 if it could, less than a beat may follow: a whole one is left."""
    processor, middle = middle_grammars("TSD")
    piece = quantised(processor, build_score(480, [(0, [(1, 1, 60, 80), (24, 1, 60, 80)])]))
    step = piece.ticks_per_quarter
    for start, first in ((16, 15), (20, 19)):
        found = next_words(middle, processor, piece, Cut(0, start * step, 24 * step), "")
        shifts = {word for word in found if word.startswith("TimeShift")}
        assert f"TimeShift_{first}.0.1" in shifts and f"TimeShift_{first - 1}.0.1" not in shifts


def test_structured_closes_with_the_longest_shifts_and_no_note_follows(middle_grammars):
    processor, middle = middle_grammars("Structured")
    piece = quantised(processor, build_score(480, [(0, [(beat, 1, 60, 80) for beat in range(60)])]))
    cut = Cut(0, 4 * 16, 40 * 16)  # 36 beats: the longest first are 36; less two steps, 35 and 0.14.16

    def after(words):
        return next_words(middle, processor, piece, cut, words)

    first = f"TimeShift_0.0.1 {NOTE}"
    assert {word[:9] for word in after("")} == {"TimeShift"} and "TimeShift_0.0.1" in after("")
    assert "EOM_None" in after(f"{first} TimeShift_36.0.1")
    assert not any(word.startswith("Time") for word in after(f"{first} TimeShift_3.0.16"))
    later = f"TimeShift_0.2.16 {NOTE}"
    assert after(f"{later} TimeShift_35.0.1") >= {"Program_0", "TimeShift_0.14.16"}
    assert {word for word in after(f"{later} TimeShift_35.0.1") if word[:4] == "Time"} == {"TimeShift_0.14.16"}
    assert after(f"{later} TimeShift_35.0.1 TimeShift_0.14.16") == {"EOM_None"}
    assert not any(word.startswith("Time") for word in after(f"{later} TimeShift_34.0.1"))


def test_an_id_may_come_exactly_where_its_words_may_one_after_the_other(every_case):
    """And leads where they lead, in the rule of a span."""
    processor, middle = every_case
    piece = quantised(processor, SCORES["many_meters"]())
    random = np.random.default_rng(5)
    for each, cut in draw_cuts([piece] * 2, 1, seed=4):
        (sample,) = middle.encoder.samples([(each, cut)])
        rule = middle.rule(middle.frame(each, cut), sample.prefix)
        rules, columns = SpanRules([rule], middle.paths), middle.paths.columns
        for state in random.integers(len(rule.next), size=6).tolist():
            legal = rules.legal(np.array([1 + state]))[0]
            for index in random.integers(3, len(legal), size=150).tolist():
                at, may_come, told = state, True, middle.tokens.expansions[index]
                symbols = [int(columns[column]) for column in told.tolist() if middle.tokens.words[column]]
                for symbol in symbols:
                    may_come &= bool(rule.legal[at, symbol])
                    at = int(rule.next[at, symbol])
                if symbols:
                    assert legal[index] == may_come
                    assert not may_come or rules.advance(np.array([1 + state]), np.array([index]))[0] == 1 + at
