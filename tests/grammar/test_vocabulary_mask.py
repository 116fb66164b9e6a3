"""Masks: programs, pitches and a tempo that a piece is held to."""

import pytest
import torch
from grammar.following import REMI_BEGIN, complete, draw, encode_again, events, follow

from neuromusic_hf.grammar import GrammarLogitsProcessor


def test_a_mask_restricts_programs_and_pitches(case):
    processor, grammar = case
    mask = grammar.vocabulary_mask(allowed_programs=[0, 33], drums=False, pitch_range=(60, 64))
    for row in draw(grammar.restricted(mask), rows=8, length=150):
        words = complete(processor, row)
        assert {word for word in words if word.startswith("Program")} <= {"Program_0", "Program_33"}
        assert {word for word in words if word.startswith("Pitch")} <= {f"Pitch_{pitch}" for pitch in range(60, 65)}
        assert processor.music_tokenizer._tokens_errors(words) == 0
        assert events(encode_again(processor, words)) == events(words)


def test_a_mask_with_drums_alone(grammars):
    processor, grammar = grammars("Structured")
    mask = grammar.vocabulary_mask(allowed_programs=[], drums=True)
    words = {word for row in draw(grammar.restricted(mask), rows=4, length=80) for word in complete(processor, row)}
    assert {word for word in words if word.startswith("Program")} == {"Program_-1"}


def test_a_mask_lets_the_prompt_finish_its_note(grammars):
    """Of a program that is not allowed, above the pitches that are."""
    processor, grammar = grammars("REMI")
    words = f"{REMI_BEGIN} Program_5 Pitch_80 Velocity_79 Duration_1.0.16 Program_5 Chord_maj".split()
    prompt = torch.tensor([[processor.music_tokenizer.vocab[word] for word in words]])
    mask = grammar.vocabulary_mask(allowed_programs=[0], pitch_range=(60, 64))
    scores = GrammarLogitsProcessor(grammar, mask)(prompt, torch.zeros(1, grammar.vocab_size))
    assert [processor.music_tokenizer[index] for index in scores[0].isfinite().nonzero()[:, 0].tolist()] == [
        "Program_5"
    ]


@pytest.mark.parametrize("tempo", [60.0, 300])
@pytest.mark.parametrize("model", ["", "BPE"])
@pytest.mark.parametrize("name", ["REMI", "TSD"])
def test_a_mask_with_a_tempo_leaves_that_at_the_beginning_alone(name, model, tempo, grammars):
    processor, grammar = grammars(name, model)
    for row in draw(grammar.restricted(grammar.vocabulary_mask(tempo=tempo)), rows=8, length=150):
        words = complete(processor, row)
        assert [word for word in words if word.startswith("Tempo")] == [f"Tempo_{tempo:.1f}"]
        assert processor.music_tokenizer._tokens_errors(words) == 0
        assert events(encode_again(processor, words)) == events(words)


def test_a_grammar_restricted_twice_keeps_both_restrictions(grammars):
    _, grammar = grammars("TSD", "BPE")
    first, second = grammar.vocabulary_mask(drums=False), grammar.vocabulary_mask(tempo=60)
    state = follow(grammar, [])
    twice = grammar.restricted(first).restricted(second)
    assert torch.equal(twice.legal(state), grammar.restricted(first & second).legal(state))


@pytest.mark.parametrize(
    "restriction, message",
    [
        ({"tempo": 121}, r"tempo=121: there are \[20.0, 25.0"),
        ({"allowed_programs": []}, r"programs \[\]"),
        ({"allowed_programs": [200]}, r"programs \[200\]"),
        ({"allowed_programs": [-1], "drums": False}, r"programs \[\]"),
        ({"pitch_range": (128, 130)}, r"pitch_range=\(128, 130\)"),
    ],
)
def test_a_mask_that_leaves_nothing_is_refused(restriction, message, grammars):
    with pytest.raises(ValueError, match=message):
        grammars("REMI")[1].vocabulary_mask(**restriction)


def test_a_tempo_needs_tempo_tokens(grammars):
    with pytest.raises(ValueError, match="tempo=120: there are none of tempos"):
        grammars("Structured")[1].vocabulary_mask(tempo=120)
