"""What encodes and decodes is that of the tokenizer as it is now, whatever was changed in it since."""

import copy
import pickle

import numpy as np
import pytest
from tokenization.sample_scores import SCORES, random_score

from neuromusic_hf import MidiProcessor
from neuromusic_hf.tokenization import one_stream
from neuromusic_hf.tokenization.coders import Coders


def pitches_raised(tokenizer):
    plain = tokenizer.preprocess_score
    tokenizer.preprocess_score = lambda score: plain(score).shift_pitch(1)


def maps_turned_round(tokenizer):
    tokenizer.config.chord_maps = dict(reversed(tokenizer.config.chord_maps.items()))


CHANGES = {
    "chords off": lambda tokenizer: vars(tokenizer.config).update(use_chords=False),
    "rests on": lambda tokenizer: vars(tokenizer.config).update(use_rests=True),
    "tempos off": lambda tokenizer: vars(tokenizer.config).update(use_tempos=False),
    "programs taken out in place": lambda tokenizer: tokenizer.config.programs.remove(33),
    "an additional parameter": lambda tokenizer: tokenizer.config.additional_params.update(add_trailing_bars=True),
    "the order of chords": maps_turned_round,
    "a method of its own": pitches_raised,
    "other velocities": lambda tokenizer: setattr(tokenizer, "velocities", np.array([40, 100])),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_seen(name):
    processor = MidiProcessor.from_tokenization("REMI")
    tokenizer, score = processor.music_tokenizer, SCORES["band"]()
    encoder, decoder = processor.encoder, processor._decoder
    before, _ = processor.encode_score(score)
    processor.decode(before)
    assert processor.encoder is encoder and processor._decoder is decoder
    CHANGES[name](tokenizer)
    try:
        expected = one_stream.encode_quantised(tokenizer, one_stream.quantise(tokenizer, score)).ids
    except (LookupError, AttributeError, ValueError) as error:
        with pytest.raises(type(error)):
            processor.encode_score(score)
    else:
        assert processor.encode_score(score)[0] == expected
    assert processor.encoder is not encoder and processor._decoder is not decoder
    assert processor.encoder is processor.encoder


def test_a_method_of_miditok_that_was_replaced_decodes(monkeypatch):
    processor = MidiProcessor.from_tokenization("TSD")
    ids = processor.encode(random_score(0))
    assert processor.decode(ids).note_num()
    kind = type(processor.music_tokenizer)
    plain = kind._tokens_to_score
    monkeypatch.setattr(kind, "_tokens_to_score", lambda self, *args, **kw: plain(self, *args, **kw).shift_pitch(2))
    assert processor.decode(ids) == one_stream.decode_ids(processor.music_tokenizer, processor.music_ids(ids))


def test_another_tokenizer_is_seen():
    processor = MidiProcessor.from_tokenization("REMI")
    before = processor.encode_score(SCORES["band"]())
    other = MidiProcessor.from_tokenization("REMI", use_chords=False)
    processor.music_tokenizer = other.music_tokenizer
    assert processor.encode_score(SCORES["band"]()) == other.encode_score(SCORES["band"]()) != before


def test_the_tally_is_that_of_the_tokenizer_as_it_is():
    score = SCORES["band"]()
    processor = MidiProcessor.from_tokenization("REMI")
    processor.tally(score)
    processor.music_tokenizer.config.pitch_range = (60, 62)
    assert processor.tally(score) == MidiProcessor.from_tokenization("REMI", pitch_range=(60, 62)).tally(score)


@pytest.mark.parametrize("moved", [copy.deepcopy, lambda coders: pickle.loads(pickle.dumps(coders))])
def test_what_was_made_is_made_anew_elsewhere(moved, processors):
    coders = Coders()
    tokenizer, score = processors["TSD"].music_tokenizer, SCORES["band"]()
    there = moved(coders)
    found = [each.encoder(tokenizer).encode_quantised(processors["TSD"].quantise(score)) for each in (coders, there)]
    assert found[0] == found[1]
    assert there.encoder(tokenizer) is not coders.encoder(tokenizer)
