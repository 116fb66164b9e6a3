"""What follows what: how a piece begins and ends, what a note is made of, tempos and chords."""

import pytest
import torch
from grammar.following import BOS, C4, NEXT_BAR, REMI_BEGIN, TSD_BEGIN, assert_next, follow

from neuromusic_hf import MidiProcessor
from neuromusic_hf.grammar import TokenGrammar

RULES = {
    "a piece begins with a bar": ("REMI", "", "Bar_None", "TimeSig_4/4 Position_0 Program_0 EOS_None PAD_None"),
    "and its meter": ("REMI", "Bar_None", "TimeSig_4/4 TimeSig_12/8", "Bar_None Position_0"),
    "and position 0": ("REMI", "Bar_None TimeSig_4/4", "Position_0", "Position_1 Bar_None Program_0"),
    "and a tempo": ("REMI", "Bar_None TimeSig_4/4 Position_0", "Tempo_20.0 Tempo_300.0", "Program_0"),
    "TSD begins with a meter": ("TSD", "", "TimeSig_3/4", "Tempo_120.0 TimeShift_1.0.16"),
    "Structured begins with a shift": ("Structured", "", "TimeShift_0.0.1 TimeShift_256.0.1", "Program_0 Pitch_60"),
    "a position holds something": ("REMI", f"{REMI_BEGIN} Position_4", "Program_0 Tempo_60.0", "Position_5 Bar_None"),
    "a meter is followed by a position": ("REMI", f"{REMI_BEGIN} {NEXT_BAR}", "Position_0 Bar_None", "Program_0"),
    "tempos change": ("REMI", f"{REMI_BEGIN} Position_4", "Tempo_125.0", "Tempo_120.0"),
    "tempos change in TSD": ("TSD", f"{TSD_BEGIN} TimeShift_1.0.16", "Tempo_125.0", "Tempo_120.0"),
    "a pitch has a velocity": ("REMI", f"{REMI_BEGIN} Program_0 Pitch_60", "Velocity_7", "Duration_1.0.16 Program_0"),
    "and a duration": ("TSD", f"{TSD_BEGIN} Program_0 Pitch_60 Velocity_7", "Duration_1.0.16", "Program_0 Pitch_61"),
    "drums have drum pitches": ("REMI", f"{REMI_BEGIN} Program_-1", "PitchDrum_0 PitchDrum_127", "Pitch_36 Chord_maj"),
    "others have not": ("REMI", f"{REMI_BEGIN} Program_9", "Pitch_36 Chord_maj", "PitchDrum_36"),
    "a chord goes before its program": ("REMI", f"{REMI_BEGIN} Program_9 Chord_maj", "Program_9", "Program_8"),
    "a piece ends after a note": ("REMI", f"{REMI_BEGIN} {C4}", "EOS_None", "PAD_None BOS_None"),
    "not before one": ("REMI", REMI_BEGIN, "Bar_None", "EOS_None"),
    "nor amid one": ("REMI", f"{REMI_BEGIN} {C4} Program_0 Pitch_61 Velocity_79", "Duration_1.0.16", "EOS_None"),
    "nor after time that passed": ("TSD", f"{TSD_BEGIN} {C4} TimeShift_1.0.16", "Program_0", "EOS_None"),
    "PAD follows EOS": ("REMI", f"{REMI_BEGIN} {C4} EOS_None", "PAD_None", "EOS_None Bar_None BOS_None"),
    "BOS begins anew": ("REMI", f"{REMI_BEGIN} {C4} EOS_None BOS_None", "Bar_None", "Position_1 EOS_None"),
    "a broken prompt is followed": ("REMI", f"Position_7 {C4} Position_3 Pitch_60", "Velocity_7", "Position_4"),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule, grammars):
    name, prompt, legal_words, refused_words = RULES[rule]
    assert_next(*grammars(name), prompt, legal_words, refused_words)


def test_bos_may_be_left_out(case):
    _, grammar = case
    assert torch.equal(grammar.legal(follow(grammar, [BOS])), grammar.legal(grammar.begin(1)))


BARE = {"use_chords": False, "use_tempos": False, "use_time_signatures": False}


@pytest.mark.parametrize("use_programs", [True, False])
def test_a_bare_piece_begins_with_a_note_or_a_gap(use_programs):
    processor = MidiProcessor.from_tokenization("TSD", use_programs=use_programs, **BARE)
    grammar = TokenGrammar.from_processor(processor)
    (legal,) = grammar.legal(grammar.begin(1))
    words = processor.tokenizer.convert_ids_to_tokens(legal.nonzero()[:, 0].tolist())
    assert {word.partition("_")[0] for word in words} == {"TimeShift", "Program" if use_programs else "Pitch"}
