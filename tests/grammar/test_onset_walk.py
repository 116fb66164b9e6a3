"""Ids that are any span of music: legal where their base tokens are, and leading where those lead."""

import numpy as np
import pytest
import torch
from grammar.following import MODELS, NAMES, PAD

from neuromusic_hf.grammar import TokenGrammar
from neuromusic_hf.grammar.base_tokens import BaseTokens

CROWDED = {"allowed_programs": [0, 33], "pitch_range": (59, 60)}


@pytest.mark.parametrize("name, model", [(name, model) for name in NAMES for model in MODELS[1:]])
def test_an_id_is_legal_where_its_whole_expansion_is(name, model, grammars):
    assert_ids_are_as_their_expansions(grammars(name, model)[1], grammars(name)[1], steps=25)


@pytest.mark.parametrize("restriction", [{}, CROWDED], ids=str)
@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_an_id_may_be_any_span_of_music(name, ascending, restriction, processors, monkeypatch):
    """Also where programs run out of pitches: onsets of many notes, with few programs and pitches."""
    base = TokenGrammar.from_processor(processors[name], ascending_programs=ascending)
    words = base.tokens.words[: base.vocab_size].tolist()
    paths = [None, None, None] + [[word] for word in words[3:]] + list(crowded_spans(name, 200))
    spans = BaseTokens(words, words[:3], base.tokens.special_ids, paths)
    monkeypatch.setattr(BaseTokens, "from_processor", lambda processor: spans)
    grammar = TokenGrammar.from_processor(processors[name], ascending_programs=ascending)
    moves = grammar.tokens.of("Bar", "Position", "TimeShift") & ~grammar.tokens.of("TimeShift_0.0.1")
    weights = torch.from_numpy(np.where(moves, 0.03, 1.0)[grammar.tokens.expansions].min(axis=1))
    if restriction:
        grammar, base = (each.restricted(each.vocabulary_mask(**restriction)) for each in (grammar, base))
    assert_ids_are_as_their_expansions(grammar, base, 30, weights)


def crowded_spans(name, count):
    """Words of up to three notes, cut anywhere, on an onset or two; many are not legal by themselves."""
    random = np.random.default_rng(0)
    move = ["Position_31"] if name == "REMI" else ["TimeShift_1.0.16"]
    stay = ["TimeShift_0.0.1"] if name == "Structured" else []
    for _ in range(count):
        span = []
        for _ in range(random.integers(1, 4)):
            note = [f"Program_{random.choice([0, 33])}", f"Pitch_{random.choice([59, 60])}"]
            span += [*note, "Velocity_79", "Duration_1.0.16", *(move if random.random() < 0.2 else stay)]
        yield span[random.integers(4) : len(span) - random.integers(6)]


def assert_ids_are_as_their_expansions(grammar, base, steps, weights=1.0):
    """Legal where the base tokens are, one after the other, and leading to where those lead."""
    expansions = torch.from_numpy(grammar.tokens.expansions)
    assert (grammar.tokens.words[: base.vocab_size] == base.tokens.words[: base.vocab_size]).all()
    expansions = torch.where(expansions < base.vocab_size, expansions, PAD)
    state, base_state = grammar.begin(1), base.begin(1)
    generator = torch.Generator().manual_seed(1)
    usable = torch.from_numpy(grammar.tokens.usable)
    for _ in range(steps):
        legal = grammar.legal(state)[0]
        expected, ends = usable.clone(), base_state.select(torch.zeros(len(usable), dtype=torch.long))
        for ids in expansions.unbind(dim=1):
            expected &= (ids == PAD) | base.legal(ends).gather(1, ids[:, None])[:, 0]
            ends = base.advance(ends, ids)
        assert torch.equal(legal & usable, expected)
        chosen = torch.multinomial((legal & usable) * weights, 1, generator=generator)
        state, base_state = grammar.advance(state, chosen), ends.select(chosen)
        assert torch.equal(grammar.program(state), base.program(base_state))
        assert torch.equal(state.floors, base_state.floors)
