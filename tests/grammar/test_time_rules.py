"""Bars, positions, shifts and meters."""

import pytest
from grammar.following import C4, NEXT_BAR, REMI_BEGIN, TSD_BEGIN, assert_next

RULES = {
    "positions go up": ("REMI", f"{REMI_BEGIN} Position_4 {C4}", "Position_5 Bar_None", "Position_4 Position_0"),
    "inside the bar": ("REMI", f"{REMI_BEGIN} Position_4 {C4}", "Position_63", "Position_64 Position_239"),
    "of its own meter": ("REMI", f"{REMI_BEGIN} Bar_None TimeSig_5/8", "Position_79 Bar_None", "Position_80"),
    "a gap is written greedily": ("TSD", f"{TSD_BEGIN} {C4} TimeShift_1.0.16", "Program_0", "TimeShift_1.0.16"),
    "after the longest shift, any": ("TSD", f"{TSD_BEGIN} TimeShift_256.0.1", "TimeShift_256.0.1", "EOS_None"),
    "after a coarse one, what is between": (
        "TSD", f"{TSD_BEGIN} TimeShift_256.0.1 TimeShift_6.0.4",
        "TimeShift_0.3.16", "TimeShift_0.4.16 TimeShift_256.0.1",
    ),
    "and then no more": ("TSD", f"{TSD_BEGIN} TimeShift_6.0.4 TimeShift_0.3.16", "Program_0", "TimeShift_0.1.16"),
    "meters change at bars": ("TSD", f"{TSD_BEGIN} TimeShift_4.0.8", "TimeSig_3/4", "TimeSig_4/4"),
    "and nowhere else": ("TSD", f"{TSD_BEGIN} TimeShift_3.7.8", "Program_0", "TimeSig_3/4"),
    "bars are counted from the last change": (
        "TSD", f"{TSD_BEGIN} TimeShift_4.0.8 TimeSig_3/4 {C4} TimeShift_3.0.8", "TimeSig_4/4", "TimeSig_3/4",
    ),
    "a piece does not end with an empty bar": ("REMI", f"{REMI_BEGIN} {C4} {NEXT_BAR}", "Bar_None", "EOS_None"),
    "but with a change": ("REMI", f"{REMI_BEGIN} {C4} Bar_None TimeSig_3/4", "EOS_None", "Program_0"),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule, grammars):
    name, prompt, legal_words, refused_words = RULES[rule]
    assert_next(*grammars(name), prompt, legal_words, refused_words)
