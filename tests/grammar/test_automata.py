"""Tokenizers and settings without rules are refused by name."""

import pytest
from miditok import REMI

from neuromusic_hf import MidiProcessor
from neuromusic_hf.grammar import GrammarLogitsProcessor, TokenGrammar


class Dialect(REMI):
    """A tokenizer of a user's own."""


def test_a_tokenizer_without_rules_is_refused():
    processor = MidiProcessor.from_tokenization(f"{__name__}.Dialect")
    with pytest.raises(
        ValueError, match="no grammar rules for Dialect, only for REMI, TSD, Structured.*grammar/automata.py"
    ):
        GrammarLogitsProcessor(processor)


@pytest.mark.parametrize(
    "settings",
    [
        {"use_rests": True},
        {"remove_duplicated_notes": False},
        {"use_note_duration_programs": [0]},
        {"max_bar_embedding": 60},
    ],
    ids=str,
)
def test_settings_without_rules_are_refused(settings):
    with pytest.raises(ValueError, match=f"REMI has no rules for .*{next(iter(settings))}"):
        TokenGrammar.from_processor(MidiProcessor.from_tokenization("REMI", **settings))
