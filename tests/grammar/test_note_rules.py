"""The notes of one onset: programs come once, pitches go up."""

import pytest
from grammar.following import C4, KICK, NEXT_BAR, REMI_BEGIN, TSD_BEGIN, assert_next

RULES = {
    "pitches go up": ("REMI", f"{REMI_BEGIN} {C4} Program_0", "Pitch_61", "Pitch_60 Pitch_59 Chord_maj"),
    "in Structured too": ("Structured", f"TimeShift_0.0.1 {C4} TimeShift_0.0.1 Program_0", "Pitch_61", "Pitch_60"),
    "until time moves": (
        "TSD", f"{TSD_BEGIN} {C4} TimeShift_0.1.16 Program_0", "Pitch_60 Pitch_0 Chord_maj", "TimeShift_1.0.16",
    ),
    "or a bar begins": ("REMI", f"{REMI_BEGIN} {C4} {NEXT_BAR} Position_0 Program_0", "Pitch_60", "Position_1"),
    "for every program": ("REMI", f"{REMI_BEGIN} {C4} Program_5", "Pitch_60 Pitch_0", "PitchDrum_60"),
    "programs come once": ("REMI", f"{REMI_BEGIN} {C4} {KICK}", "Program_-1 Program_5", "Program_0"),
    "what is at the top goes on no more": (
        "TSD", f"{TSD_BEGIN} Program_0 Pitch_127 Velocity_79 Duration_1.0.16",
        "Program_1 TimeShift_1.0.16", "Program_0",
    ),
    "a chord comes once": ("REMI", f"{REMI_BEGIN} Program_9 Chord_maj Program_9", "Pitch_60", "Chord_min"),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule, grammars):
    name, prompt, legal_words, refused_words = RULES[rule]
    assert_next(*grammars(name), prompt, legal_words, refused_words)
