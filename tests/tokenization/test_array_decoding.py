"""What arrays make of ids, held against miditok's decoder: of music, of music with faults, and of ids at random."""

import logging

import numpy as np
import pytest
import torch
from tiny import TOKENIZATIONS
from tokenization.conftest import VOCABULARY_MODELS
from tokenization.drawn import DrawnIds, contents
from tokenization.sample_scores import SCORES, random_score

from neuromusic_hf.tokenization import MidiProcessor
from neuromusic_hf.tokenization.arrays import BeyondArrays, decoding, tell_of_miditok, unknown_setting
from neuromusic_hf.tokenization.music_decoding import MusicDecoder
from neuromusic_hf.tokenization.one_stream import decode_ids

SETTINGS = {
    "the field's": {},
    "no programs": {"use_programs": False},
    "no velocities": {"use_velocities": False},
    "no lengths": {"use_note_duration_programs": []},
    "lengths of some": {"use_note_duration_programs": [*range(0, 127, 2)], "default_note_duration": 0.7},
    "lengths of others alone": {"use_note_duration_programs": [-1, *range(1, 127)], "use_velocities": False},
    "no programs, no lengths, no velocities": {
        "use_programs": False,
        "use_note_duration_programs": [],
        "use_velocities": False,
    },
    "keys of a piano": {"pitch_range": (21, 108), "drums_pitch_range": (10, 120)},
    "drums as pitches": {"use_pitchdrum_tokens": False, "programs": [-1, *range(0, 40)]},
    "neither tempos nor meters": {"use_tempos": False, "use_time_signatures": False},
    "no tempos": {"use_tempos": False, "use_chords": False},
    "no meters": {"use_time_signatures": False, "use_programs": False},
    "few meters and positions": {
        "time_signature_range": {8: [3, 6], 4: [3, 4]},
        "beat_res": {(0, 3): 3, (3, 12): 1},
        "tempo_range": (50, 200),
        "num_tempos": 7,
        "log_tempos": True,
    },
    "no meter of 4/4": {"time_signature_range": {8: [3, 5], 4: [2, 3], 2: [2]}},
    "more special tokens": {"special_tokens": ["PAD", "BOS", "EOS", "MASK", "Genre_Jazz"]},
    "special tokens named as music": {"special_tokens": ["PAD", "BOS", "EOS", "Pitch_60"]},
}
UNKNOWN = {"rests": {"use_rests": True}, "pedals": {"use_sustain_pedals": True, "sustain_pedal_duration": True}}


def assert_same(processor, sequences):
    """Decoded by arrays where they know the tokenizer, as miditok does."""
    tokenizer = processor.music_tokenizer
    decoder = MusicDecoder(tokenizer, [])
    for ids in sequences:
        found, expected = contents(decoder.decode(ids)), contents(decode_ids(tokenizer, ids.tolist()))
        assert found == expected, f"{ids.tolist()}: {[field for field in found if found[field] != expected[field]]}"
    return decoder


def drawn(processor, count, seed=0, longest=60):
    pieces = [processor.encode(random_score(index), add_eos=True) for index in range(3)]
    pieces += [processor.encode(SCORES[name]()) for name in ("many_meters", "band")]
    rows = DrawnIds(processor, pieces, seed)
    return [rows.draw(longest) for _ in range(count)]


@pytest.mark.parametrize("tokenization", TOKENIZATIONS)
@pytest.mark.parametrize("name", SETTINGS)
def test_any_ids_become_what_miditok_makes_of_them(tokenization, name):
    processor = MidiProcessor.from_tokenization(tokenization, **SETTINGS[name])
    decoder = assert_same(processor, drawn(processor, 200))
    assert (decoder.arrays is None) == (name == "special tokens named as music")


@pytest.mark.parametrize("tokenization", TOKENIZATIONS)
def test_longer_ids_too(processors, tokenization):
    assert_same(processors[tokenization], drawn(processors[tokenization], 40, seed=1, longest=2000))


@pytest.mark.parametrize("tokenization", TOKENIZATIONS)
@pytest.mark.parametrize("model", VOCABULARY_MODELS)
def test_any_ids_of_a_learned_vocabulary_too(trained_processors, tokenization, model):
    processor = trained_processors(tokenization, model)
    decoder = assert_same(processor, drawn(processor, 300))
    assert decoder.arrays is not None


def test_hard_music_becomes_what_miditok_makes_of_it(processor, score):
    assert_same(processor, [np.array(processor.encode(score, add_eos=True))])


@pytest.mark.parametrize("tokenization", TOKENIZATIONS)
def test_what_lasts_too_long_for_arrays_is_left_to_miditok(processors, tokenization, monkeypatch, caplog):
    tell_of_miditok.cache_clear()
    monkeypatch.setattr(decoding, "MOST_TICKS", 100)
    decoder = assert_same(processors[tokenization], drawn(processors[tokenization], 100))
    ids = np.array(processors[tokenization].encode(random_score(0)))
    with pytest.raises(BeyondArrays):
        decoder.arrays.decode(ids)
    assert decoder.arrays.decode(ids[:8]) is not None
    (message,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert message.startswith(f"Ids of {tokenization} are left to miditok") and "100 ticks" in message


@pytest.mark.parametrize("tokenization", ["REMI", "TSD"])
@pytest.mark.parametrize("name", UNKNOWN)
def test_what_arrays_do_not_know_miditok_decodes(tokenization, name):
    processor = MidiProcessor.from_tokenization(tokenization, **UNKNOWN[name])
    assert unknown_setting(processor.music_tokenizer)
    assert assert_same(processor, drawn(processor, 20)).arrays is None


def test_ids_may_come_in_any_form(processor):
    ids = processor.encode(random_score(0), add_eos=True)
    expected = contents(processor.decode(ids))
    forms = [tuple(ids), iter(ids), np.array(ids, np.int32), torch.tensor(ids)]
    assert all(contents(processor.decode(form)) == expected for form in forms)
    padded = [[*ids, 0, 0], [*ids, 0, 0]]
    for rows in (padded, np.array(padded), torch.tensor(padded), [torch.tensor(row) for row in padded]):
        assert [contents(score) for score in processor.decode(rows)] == [expected] * 2
    assert [contents(processor.decode(empty)) for empty in ([], np.array([]))] == [contents(processor.decode([1]))] * 2
