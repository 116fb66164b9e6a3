import json

import miditok
import pytest
from tokenization.sample_scores import note_list, random_score

from neuromusic_hf import MidiProcessor
from neuromusic_hf.tokenization import FIELD_SETTINGS, create_music_tokenizer
from neuromusic_hf.tokenization.music_tokenizer import music_tokenizer_from_dict, music_tokenizer_to_dict

OWN_TOKENIZER = """
from miditok import TSD


class Loud(TSD):
    '''TSD of which every token has a name of its own.'''

    def _create_base_vocabulary(self):
        return [*super()._create_base_vocabulary(), "Mood_loud"]


class NoTokenizer:
    pass
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "module_of_a_user.py").write_text(OWN_TOKENIZER)
    monkeypatch.syspath_prepend(tmp_path)
    return "module_of_a_user"


def test_every_field_setting_is_in_force_unless_the_tokenizer_cannot_have_it(processors):
    for name in ("REMI", "TSD"):
        config = processors[name].music_tokenizer.config
        for key, value in FIELD_SETTINGS.items():
            found = getattr(config, key)
            if key == "special_tokens":
                found = [token.removesuffix("_None") for token in found]
            assert found == (list(value) if isinstance(value, tuple) else value), key
    config = processors["Structured"].music_tokenizer.config
    assert config.num_velocities == 16 and config.use_programs and config.remove_duplicated_notes
    assert not config.use_tempos and not config.use_time_signatures and not config.use_chords


def test_settings_can_be_overridden():
    tokenizer = create_music_tokenizer("REMI", num_velocities=8, use_tempos=False)
    types = {token.split("_")[0] for token in tokenizer.vocab}
    assert "Tempo" not in types and "TimeSig" in types
    assert sum(token.startswith("Velocity_") for token in tokenizer.vocab) == 8


def test_the_special_tokens_come_first(processor):
    assert list(processor.music_tokenizer.vocab)[:3] == ["PAD_None", "BOS_None", "EOS_None"]


@pytest.mark.parametrize("name", ["NoSuchTokenizer", "", "remi", "TokenizerConfig"])
def test_an_unknown_name_is_an_error_that_names_it(name):
    with pytest.raises(ValueError, match=f"No tokenization '{name}'.*REMI, TSD or Structured"):
        MidiProcessor.from_tokenization(name)


def test_an_import_path_that_leads_to_no_tokenizer_is_refused(own_module):
    for name in (f"{own_module}.NoTokenizer", f"{own_module}.Quiet", "no_such_module.Tokenizer"):
        with pytest.raises(ValueError, match=f"No tokenization '{name}': "):
            MidiProcessor.from_tokenization(name)


@pytest.mark.parametrize("name", ["Octuple", "CPWord", "MuMIDI"])
def test_tokenizers_of_several_vocabularies_are_refused(name):
    with pytest.raises(ValueError, match="one sequence of ids"):
        create_music_tokenizer(name)


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured"])
def test_one_sequence_per_track_is_refused(name):
    with pytest.raises(ValueError, match=f"This {name} .*one sequence of ids"):
        create_music_tokenizer(name, one_token_stream_for_programs=False)


def test_special_tokens_that_the_models_need_must_be_there():
    with pytest.raises(ValueError, match="BOS_None.*EOS_None"):
        create_music_tokenizer("REMI", special_tokens=["PAD"])


def test_a_tokenizer_rebuilt_from_json_is_equal(processor):
    tokenizer = processor.music_tokenizer
    saved = json.loads(json.dumps(music_tokenizer_to_dict(tokenizer)))
    rebuilt = music_tokenizer_from_dict(saved)
    assert rebuilt.vocab == tokenizer.vocab
    assert music_tokenizer_to_dict(rebuilt) == saved
    score = random_score(2)
    assert rebuilt(score).ids == tokenizer(score).ids


def test_a_subclass_of_a_user_works_from_end_to_end(own_module, tmp_path):
    name = f"{own_module}.Loud"
    processor = MidiProcessor.from_tokenization(name)
    assert processor.tokenization == name
    assert not hasattr(miditok, "Loud")
    plain = MidiProcessor.from_tokenization("TSD")
    assert processor.vocab_size == plain.vocab_size + 1 and "Mood_loud" in processor.tokenizer.get_vocab()
    processor.save_pretrained(tmp_path / "bundle")
    loaded = MidiProcessor.from_pretrained(tmp_path / "bundle")
    assert type(loaded.music_tokenizer).__name__ == "Loud"
    score = random_score(5)
    ids = processor.encode(score)
    assert loaded.encode(score) == ids == [loaded.tokenizer.bos_token_id, *processor.music_tokenizer(score).ids]
    assert note_list(loaded.decode(ids)) == note_list(plain.decode(plain.encode(score)))
    loud = processor.tokenizer.convert_tokens_to_ids("Mood_loud")
    assert note_list(loaded.decode([loud, *ids, loud])) == note_list(loaded.decode(ids))
