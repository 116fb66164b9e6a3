"""The grammar as a whole: real music keeps it, and what is drawn at random under it is sound."""

import pytest
import torch
from datasets import Dataset, Features
from grammar.following import NAMES, assert_legal, complete, draw, encode_again, events
from miditok import TokSequence
from music import make_score
from tokenization.sample_scores import SCORES, random_score

from neuromusic_hf import MidiProcessor
from neuromusic_hf.grammar import TokenGrammar
from neuromusic_hf.music import Midi


def test_real_music_is_legal(every_case, music):
    processor, grammar = every_case
    assert_legal(processor, grammar, [processor.encode(score, add_bos=False, add_eos=True)[:700] for score in music])


def test_what_is_drawn_has_no_error_and_encodes_to_the_same_music(case):
    processor, grammar = case
    for row in draw(grammar, rows=12, length=250):
        words = complete(processor, row)
        assert processor.music_tokenizer._tokens_errors(words) == 0
        assert events(encode_again(processor, words)) == events(words)


@pytest.mark.parametrize("model", ["", "BPE"])
@pytest.mark.parametrize("name", NAMES)
def test_ascending_programs_encode_to_the_same_tokens(name, model, corpus):
    """Chords aside, which depend on notes to come."""
    processor = MidiProcessor.from_tokenization(name, use_chords=False)
    if model:
        processor = processor.train_new_from_corpus(corpus["train"], processor.vocab_size + 60, model)
    for row in draw(TokenGrammar.from_processor(processor, ascending_programs=True), rows=12, length=250):
        words = complete(processor, row)
        assert encode_again(processor, words, sort_tracks=True) == words


def test_a_step_leaves_something_legal_whatever_came_before(case):
    processor, grammar = case
    generator = torch.Generator().manual_seed(2)
    masks = [None, grammar.vocabulary_mask(allowed_programs=[0], drums=False, pitch_range=(60, 62))]
    for restricted in (grammar if mask is None else grammar.restricted(mask) for mask in masks):
        state = restricted.begin(32)
        for step in range(100):
            legal = restricted.legal(state)
            assert legal.any(dim=1).all()
            garbage = torch.randint(0, grammar.vocab_size, (32,), generator=generator)
            ids = torch.multinomial(legal.float(), 1, generator=generator)[:, 0]
            state = restricted.advance(state, garbage if step % 3 == 0 else ids)


@pytest.mark.parametrize(
    "settings", [{"use_time_signatures": False}, {"use_tempos": False}, {"use_velocities": False}]
)
@pytest.mark.parametrize("name", NAMES)
def test_music_is_legal_with_other_settings(name, settings):
    settings = {"beat_res": {(0, 2): 12, (2, 8): 4}, "use_pitchdrum_tokens": False, "pitch_range": (0, 127)} | settings
    processor = MidiProcessor.from_tokenization(name, **settings)
    grammar = TokenGrammar.from_processor(processor)
    pieces = [processor.encode(random_score(seed), add_bos=False, add_eos=True) for seed in range(3)]
    assert_legal(processor, grammar, pieces)
    for row in draw(grammar, rows=8, length=150):
        words = complete(processor, row)
        assert processor.music_tokenizer._tokens_errors(words) == 0
        assert events(encode_again(processor, words)) == events(words)


BARE = {"use_chords": False, "use_tempos": False, "use_time_signatures": False}


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured"])
@pytest.mark.parametrize("settings", [{}, BARE, {"use_time_signatures": False}], ids=["all", "bare", "no meters"])
def test_without_programs_music_is_legal_and_what_is_legal_is_encoded_again(name, settings):
    processor = MidiProcessor.from_tokenization(name, use_programs=False, **settings)
    grammar = TokenGrammar.from_processor(processor)
    pieces = [SCORES[score]() for score in SCORES if score != "drums_only"]
    assert_legal(processor, grammar, [processor.encode(piece, add_bos=False) for piece in pieces])
    notes = 0
    for row in draw(grammar, rows=6, length=150):
        words = complete(processor, row)
        again = encode_again(processor, words)
        notes += sum(word.startswith("Pitch") for word in words)
        assert [word for word in again if word[:5] != "Chord"] == [word for word in words if word[:5] != "Chord"]
        assert processor.music_tokenizer.tokens_errors(TokSequence(tokens=words, ids=[0] * len(words))) == 0
    assert notes > 20


@pytest.mark.parametrize("model", ["BPE", "Unigram", "WordPiece"])
def test_without_programs_a_learned_vocabulary_keeps_to_it(model):
    rows = {"midi": [make_score(seed).dumps_midi() for seed in range(6)]}
    corpus = Dataset.from_dict(rows, features=Features({"midi": Midi()}))
    base = MidiProcessor.from_tokenization("REMI", use_programs=False)
    processor = base.train_new_from_corpus(corpus, base.vocab_size + 80, model=model)
    grammar = TokenGrammar.from_processor(processor)
    assert_legal(processor, grammar, [processor.encode(make_score(seed), add_bos=False) for seed in range(3)])
    low = grammar.restricted(grammar.vocabulary_mask(pitch_range=(40, 50)))
    for held in (grammar, low):
        for row in draw(held, rows=4, length=100):
            words = complete(processor, row)
            again = encode_again(base, words)
            assert [word for word in again if word[:5] != "Chord"] == [word for word in words if word[:5] != "Chord"]
            if held is low:
                assert {int(word[6:]) for word in words if word.startswith("Pitch_")} <= set(range(40, 51))
