"""The type of a token, against the words of miditok."""

import pytest
from tiny import TOKENIZATIONS

from neuromusic_hf.evaluation.token_types import SEVERAL, SPECIAL, TokenTypes

SNAKE = {"PitchDrum": "pitch_drum", "TimeSig": "time_sig", "TimeShift": "time_shift"}


@pytest.mark.parametrize("name", TOKENIZATIONS)
def test_types_are_those_of_the_words(processor_of, name):
    processor = processor_of(name)
    types = TokenTypes.of(processor)
    special = set(processor.music_tokenizer.special_tokens)
    for word, index in processor.music_tokenizer.vocab.items():
        kind = word.partition("_")[0]
        expected = SPECIAL if word in special else SNAKE.get(kind, kind.lower())
        assert types.names[types.of_ids[index]] == expected, word
    assert {"pitch", "velocity", "duration"} < set(types.names)


def test_a_learned_token_is_of_the_type_of_all_that_it_says(processor_of):
    processor = processor_of("REMI BPE")
    types = TokenTypes.of(processor)
    for words, index in zip(processor.base_words, types.of_ids, strict=True):
        kinds = {kind.lower() for kind, _ in words}
        if len(kinds) > 1:
            assert types.names[index] == SEVERAL
        elif kinds:
            assert types.names[index].replace("_", "") == kinds.pop()
    assert SEVERAL in types.names
