"""What ids say: every base token of every id, and no longer what they said before the vocabulary changed."""

import pytest
from tokenization.sample_scores import random_score

from neuromusic_hf import MidiProcessor
from neuromusic_hf.tokenization import base_words
from neuromusic_hf.tokenization.vocabulary_training import BarStrings


def text_of(words):
    return "".join(f" {kind}_{value}" for kind, value in words)


def train_in_place(processor, corpus):
    music = processor.music_tokenizer
    music.train(len(music) + 40, model="BPE", iterator=BarStrings(music, corpus["train"], 20_000, seed=0))


def test_they_are_the_text_of_the_plain_tokenizer(processor):
    music, words = range(3, len(processor.music_tokenizer)), processor.base_words
    assert [text_of(words[index]) for index in music] == [processor.tokenizer.decode([index]) for index in music]


def test_those_of_learned_groups_too(trained_processor):
    words = trained_processor.base_words
    silent = {index for index, said in enumerate(words) if not said}
    some = [index for index in range(0, len(words), 3) if index not in silent]
    assert [text_of(words[index]) for index in some] == [trained_processor.tokenizer.decode([index]) for index in some]
    special = {0, 1, 2, *trained_processor.infill_ids}
    assert special <= silent and len(silent - special) <= 4
    assert max(map(len, words)) > 1


def test_they_are_computed_once(trained_processors, monkeypatch):
    processor = MidiProcessor.from_music_tokenizer(trained_processors("TSD", "BPE").music_tokenizer)
    calls = []
    expand = base_words.expand_ids
    monkeypatch.setattr(
        "neuromusic_hf.tokenization.coders.expand_ids", lambda *given: calls.append(1) or expand(*given)
    )
    assert processor.base_words is processor.base_words
    assert len(calls) == 1


def test_added_tokens_say_nothing():
    processor = MidiProcessor.from_tokenization("REMI")
    before = processor.base_words
    processor.tokenizer.add_tokens(["Genre_Jazz"])
    assert processor.base_words == [*before, []]


def test_a_vocabulary_trained_in_place_is_noticed_twice(corpus):
    processor = MidiProcessor.from_music_tokenizer(MidiProcessor.from_tokenization("REMI").music_tokenizer)
    base = processor.base_words
    train_in_place(processor, corpus)
    learned = processor.base_words
    assert len(learned) == len(processor.music_tokenizer) == len(base) + 40 and max(map(len, learned)) > 1
    train_in_place(processor, corpus)
    assert len(processor.base_words) == len(base) + 80


def test_a_learned_vocabulary_leaves_the_words_of_the_other_as_they_were(processors, corpus):
    before = processors["TSD"].base_words
    learned = processors["TSD"].train_new_from_corpus(corpus["train"], processors["TSD"].vocab_size + 20)
    assert processors["TSD"].base_words == before and learned.base_words[: len(before) - 4] == before[:-4]
    assert len(learned.base_words) == len(before) + 20


@pytest.mark.parametrize("model", ["BPE", "Unigram"])
def test_what_stands_in_a_group_beside_a_special_token_is_said(model, corpus):
    """MMM's Track_Start and Track_End are merged with what is around them."""
    processor = MidiProcessor.from_tokenization("MMM", base_tokenizer="REMI")
    processor = processor.train_new_from_corpus(corpus["train"], processor.vocab_size + 60, model)
    ids = processor.encode(random_score(1))
    programs = {value for index in ids for kind, value in processor.base_words[index] if kind == "Program"}
    assert programs == {f"{-1 if track.is_drum else track.program}" for track in random_score(1).tracks}
