"""miditok's own tokenizer.json, as people have it already."""

import json
import shutil
from pathlib import Path

import miditok
import pytest
from miditok import TokenizerConfig
from tokenization.sample_scores import note_list, random_score

from neuromusic_hf import MidiProcessor
from neuromusic_hf.training import ModelArguments, prepare_processor

SPECIAL = ["PAD", "BOS", "EOS", "MASK", "SEP"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def midi_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("midi")
    paths = [folder / f"{seed}.mid" for seed in range(5)]
    for seed, path in enumerate(paths):
        random_score(seed).dump_midi(path)
    return paths


def their_tokenizer(name="REMI", train=None, midi_files=(), **settings):
    """As miditok's own documentation makes one."""
    settings = {"use_programs": True, "use_tempos": True, "special_tokens": SPECIAL} | settings
    tokenizer = getattr(miditok, name)(TokenizerConfig(**settings))
    if train:
        tokenizer.train(vocab_size=len(tokenizer) + 50, model=train, files_paths=list(midi_files))
    return tokenizer


def in_a_hub_cache(cache, repository, files):
    """The cache of huggingface_hub after these files of a repository were downloaded."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    for name, path in files.items():
        target = folder / "snapshots" / COMMIT / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured"])
@pytest.mark.parametrize("train", [None, "BPE", "Unigram", "WordPiece"])
def test_a_file_or_a_folder_gives_miditok_s_own_ids_and_is_saved_as_a_bundle(name, train, midi_files, tmp_path):
    tokenizer = their_tokenizer(name, train, midi_files)
    tokenizer.save_pretrained(tmp_path / "theirs")
    tokenizer.save(tmp_path / "theirs", filename="my remi.v2.json")
    score = random_score(9)
    expected = tokenizer(score)
    for source in (tmp_path / "theirs", tmp_path / "theirs" / "my remi.v2.json"):
        processor = MidiProcessor.from_pretrained(source)
        assert processor.encode(score, add_bos=False) == expected.ids
        assert note_list(processor.decode(expected.ids)) == note_list(tokenizer.decode(tokenizer(score)))
        assert processor.vocab_size == len(tokenizer)
        roles = [processor.tokenizer.pad_token, processor.tokenizer.bos_token, processor.tokenizer.eos_token]
        assert roles == ["PAD_None", "BOS_None", "EOS_None"]
    processor.save_pretrained(tmp_path / "ours")
    assert MidiProcessor.from_pretrained(tmp_path / "ours").encode(score, add_bos=False) == expected.ids


@pytest.mark.parametrize(
    "settings",
    [
        {"use_rests": True},
        {"use_velocities": False},
        {"use_sustain_pedals": True},
        {"use_pitch_bends": True},
        {"use_pitch_intervals": True},
        {"use_note_duration_programs": [0, 1, 2]},
        {"log_tempos": True},
        {"use_chords": True, "use_time_signatures": True},
        {"use_programs": False, "use_sustain_pedals": True},
        {"special_tokens": ["EOS", "BOS", "PAD", "UNK", "CLS"]},
        {"beat_res": {(0, 8): 12}, "num_velocities": 7, "pitch_range": (30, 90)},
    ],
    ids=str,
)
def test_any_settings_give_miditok_s_own_ids_and_music(settings, tmp_path):
    for name in ("REMI", "TSD"):
        tokenizer = their_tokenizer(name, **settings)
        tokenizer.save_pretrained(tmp_path / name)
        score = random_score(3)
        score.tracks = score.tracks[: 1 if not tokenizer.one_token_stream else 3]
        expected = tokenizer(score)
        ids = expected.ids if tokenizer.one_token_stream else expected[0].ids
        processor = MidiProcessor.from_pretrained(tmp_path / name)
        assert processor.encode(score, add_bos=False) == ids
        assert note_list(processor.decode(ids)) == note_list(tokenizer.decode(expected))
        processor.save_pretrained(tmp_path / "bundle")
        assert MidiProcessor.from_pretrained(tmp_path / "bundle").encode(score, add_bos=False) == ids


def test_paths_may_be_relative_or_of_the_home_folder(tmp_path, monkeypatch):
    their_tokenizer().save_pretrained(tmp_path / "home" / "theirs")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    sources = ("home/theirs", "home/theirs/tokenizer.json", "~/theirs", "~/theirs/tokenizer.json", Path("~/theirs"))
    for source in sources:
        assert MidiProcessor.from_pretrained(source).tokenization == "REMI"


def test_a_repository_of_the_hub_may_hold_it(tmp_path):
    tokenizer = their_tokenizer("TSD")
    tokenizer.save_pretrained(tmp_path / "theirs")
    file = tmp_path / "theirs" / "tokenizer.json"
    in_a_hub_cache(tmp_path / "cache", "user/tsd", {"tokenizer.json": file, "nested/tokenizer.json": file})
    where = {"cache_dir": tmp_path / "cache", "local_files_only": True}
    for arguments in ({}, {"revision": "main"}, {"revision": COMMIT}, {"subfolder": "nested"}):
        processor = MidiProcessor.from_pretrained("user/tsd", **where, **arguments)
        assert processor.tokenizer.get_vocab() == tokenizer.vocab
    with pytest.raises(OSError, match="user/other"):
        MidiProcessor.from_pretrained("user/other", **where)
    with pytest.raises((OSError, ValueError), match="user/tsd"):
        MidiProcessor.from_pretrained("user/tsd", revision="v2", **where)


def test_a_bundle_in_a_repository_of_the_hub_is_loaded_as_before(processor, tmp_path):
    processor.save_pretrained(tmp_path / "bundle")
    (tmp_path / "bundle" / "config.json").write_text('{"model_type": "gpt2"}')
    in_a_hub_cache(tmp_path / "cache", "user/ours", {path.name: path for path in (tmp_path / "bundle").iterdir()})
    loaded = MidiProcessor.from_pretrained("user/ours", cache_dir=tmp_path / "cache", local_files_only=True)
    assert loaded.to_dict() == processor.to_dict()


@pytest.mark.parametrize("as_file", [True, False])
def test_training_takes_it_as_tokenization(as_file, tmp_path, monkeypatch):
    tokenizer = their_tokenizer(use_programs=False)
    tokenizer.save_pretrained(tmp_path)
    monkeypatch.chdir(tmp_path)
    for source in ("tokenizer.json", str(tmp_path / "tokenizer.json")) if as_file else (".", str(tmp_path)):
        processor = prepare_processor(ModelArguments(tokenization=source), None)
        assert processor.tokenizer.get_vocab() == tokenizer.vocab
        with pytest.raises(ValueError, match="cannot change it"):
            prepare_processor(ModelArguments(tokenization=source, vocab_size=900), None)


def test_a_tokenizer_of_the_user_s_own_class_is_refused_with_the_way_to_load_it(tmp_path):
    class Loud(miditok.TSD):
        pass

    Loud(TokenizerConfig(special_tokens=SPECIAL)).save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    with pytest.raises(ValueError, match=f"{path} was saved by 'Loud'.*from_music_tokenizer.Loud.params"):
        MidiProcessor.from_pretrained(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b'{"config": {}'], ids=str)
@pytest.mark.parametrize("name", ["tokenizer.json", "mine.json"])
def test_a_damaged_file_is_named(content, name, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{tmp_path / name} is no JSON.*damaged"):
        MidiProcessor.from_pretrained(tmp_path if name == "tokenizer.json" else tmp_path / name)


@pytest.mark.parametrize("content", ["[]", "7", "{}", '{"tokenization": 7}', '{"model": {}, "version": "1.0"}'])
def test_a_file_of_another_kind_is_named(content, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"{path} is no tokenizer of miditok"):
        MidiProcessor.from_pretrained(path)
    with pytest.raises(FileNotFoundError, match="absent.json"):
        MidiProcessor.from_pretrained(tmp_path / "absent.json")


@pytest.mark.parametrize(
    "change",
    [
        {"config": {}},
        {"config": {"additional_params": {}, "of_the_future": 1}},
        {"tokenization": "MMM"},
    ],
    ids=str,
)
def test_what_this_miditok_cannot_read_names_file_and_versions(change, tmp_path):
    their_tokenizer().save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change | {"miditok_version": "99.0"}))
    with pytest.raises(ValueError, match=f"miditok 3.* cannot read {path}, which miditok 99.0 saved"):
        MidiProcessor.from_pretrained(tmp_path)


def test_no_tokenizer_at_all_is_said(processor, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises((OSError, ValueError), match="empty"):
        MidiProcessor.from_pretrained(tmp_path / "empty")
    processor.tokenizer.save_pretrained(tmp_path / "text")
    with pytest.raises(ValueError, match="text' is no MidiProcessor"):
        MidiProcessor.from_pretrained(tmp_path / "text")


def test_tokens_that_miditok_does_not_save_are_refused():
    tokenizer = their_tokenizer()
    tokenizer.add_to_vocab("Mood_loud")
    with pytest.raises(ValueError, match="add_to_vocab"):
        MidiProcessor.from_music_tokenizer(tokenizer)
    tokenizer = their_tokenizer()
    tokenizer.config.num_velocities = 4
    with pytest.raises(ValueError, match="must not be changed"):
        MidiProcessor.from_music_tokenizer(tokenizer)
