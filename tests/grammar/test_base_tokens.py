"""Base tokens, and the ids that are paths of them."""

import numpy as np
import pytest
from grammar.following import BOS, EOS, NAMES, PAD

from neuromusic_hf import MidiProcessor
from neuromusic_hf.grammar.base_tokens import NOTHING, BaseTokens


def words_of_paths(tokens):
    return [[word for word in tokens.words[path].tolist() if word] for path in tokens.expansions]


@pytest.mark.parametrize("model", ["BPE", "Unigram", "WordPiece"])
@pytest.mark.parametrize("name", NAMES)
def test_music_is_written_with_usable_ids_whose_paths_are_its_words(name, model, corpus, trained_processors):
    processor = trained_processors(name, model)
    tokens = BaseTokens.from_processor(processor)
    paths = words_of_paths(tokens)
    for row in corpus["test"]:
        ids = processor.encode(row["midi"], add_bos=False)
        assert tokens.usable[ids].all()
        words = [word for index in ids for word in paths[index] if word != NOTHING]
        assert words == processor.tokenizer.decode(ids).split()


@pytest.mark.parametrize("model", ["", "BPE", "Unigram", "WordPiece"])
def test_what_is_not_music_is_not_usable(model, processors, trained_processors):
    """Unigram has special tokens in its alphabet, too, which no piece is written with."""
    processor = trained_processors("REMI", model) if model else processors["REMI"]
    tokens = BaseTokens.from_processor(processor)
    unusable = np.flatnonzero(~tokens.usable).tolist()
    assert unusable[:3] == [PAD, BOS, EOS] and len(unusable) == (6 if model == "Unigram" else 3)
    assert [words_of_paths(tokens)[index] for index in unusable] == [
        ["PAD_None"], ["BOS_None"], ["EOS_None"], *([] for _ in unusable[3:])
    ]  # fmt: skip


def test_the_mark_of_a_word_alone_says_nothing(trained_processors):
    processor = trained_processors("TSD", "WordPiece")
    tokens = BaseTokens.from_processor(processor)
    mark = processor.tokenizer.convert_tokens_to_ids("▁")
    assert words_of_paths(tokens)[mark] == [NOTHING] and tokens.usable[mark]


def test_added_tokens_are_left_out():
    processor = MidiProcessor.from_tokenization("TSD")
    before = len(BaseTokens.from_processor(processor).expansions)
    processor.tokenizer.add_tokens(["Genre_Jazz"])
    assert len(BaseTokens.from_processor(processor).expansions) == before == processor.vocab_size - 5
