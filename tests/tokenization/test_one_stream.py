"""Every tokenizer of miditok, with programs and without: one stream of ids, or refused by name."""

import json
import logging

import miditok
import pytest
from datasets import Dataset, Features, Value
from miditok import TokenizerConfig
from symusic import Track
from tokenization.sample_scores import build_score, note_list, random_score

from neuromusic_hf import MidiProcessor
from neuromusic_hf.music import Midi
from neuromusic_hf.tokenization import one_stream, tokenize_corpus

SPECIAL = ["PAD", "BOS", "EOS"]
SETTINGS = {
    "MMM": {"base_tokenizer": "REMI"},
    "PerTok": {
        "use_microtiming": True,
        "ticks_per_quarter": 220,
        "max_microtiming_shift": 0.125,
        "num_microtiming_bins": 30,
    },
}
ONE_STREAM = ("REMI", "TSD", "Structured", "MIDILike", "MMM", "PerTok", "BEAT")
WITHOUT_PROGRAMS = ("REMI", "TSD", "Structured", "MIDILike", "PerTok")
SEVERAL_IDS = ("CPWord", "Octuple", "MuMIDI")


def miditok_tokenizer(name, **settings):
    settings = {"special_tokens": SPECIAL} | SETTINGS.get(name, {}) | settings
    return getattr(miditok, name)(TokenizerConfig(**settings))


@pytest.fixture
def warned_anew():
    one_stream._warn_of_solo.cache_clear()


def solo(seed=1):
    """One track of a piano."""
    score = random_score(seed)
    score.tracks = score.tracks[:1]
    score.tracks[0].program, score.tracks[0].is_drum = 0, False
    return score


@pytest.mark.parametrize("name", ONE_STREAM)
def test_with_programs_ids_and_music_are_those_of_miditok(name):
    tokenizer = miditok_tokenizer(name, use_programs=True)
    processor = MidiProcessor.from_music_tokenizer(tokenizer)
    score = random_score(1)
    expected = tokenizer(score)
    assert processor.encode(score, add_bos=False) == expected.ids
    assert note_list(processor.decode(processor.encode(score))) == note_list(tokenizer.decode(expected))


@pytest.mark.parametrize("name", WITHOUT_PROGRAMS)
def test_without_programs_ids_and_music_of_one_track_are_those_of_miditok(name):
    tokenizer = miditok_tokenizer(name, use_programs=False)
    processor = MidiProcessor.from_music_tokenizer(tokenizer)
    score = solo()
    (expected,) = tokenizer(score)
    ids, num_notes = processor.encode_score(score)
    assert ids == expected.ids and num_notes == score.note_num() > 10
    assert note_list(processor.decode(ids)) == note_list(tokenizer.decode([expected]))
    assert [(track.program, track.is_drum) for track in processor.decode(ids).tracks] == [(0, False)]


def test_without_programs_the_hands_of_a_pianist_are_one_track_and_drums_are_left_out(caplog, warned_anew):
    left = [(0, 1, 48, 64), (1, 1, 50, 64), (2, 1, 52, 64)]
    right = [(0, 1, 60, 64), (0.5, 1, 62, 64), (2, 1, 64, 64)]
    processor = MidiProcessor.from_tokenization("REMI", use_programs=False)
    together = processor.encode(build_score(480, [(0, left + right)]))
    with caplog.at_level(logging.WARNING):
        hands = build_score(480, [(0, right), (0, left)])
        assert processor.encode(hands) == together
        hands.tracks.append(Track(is_drum=True, notes=hands.tracks[0].notes))
        assert processor.encode(hands) == together
    assert processor.encode_score(hands)[1] == 6 and hands.note_num() == 9
    assert len(hands.tracks) == 3
    (message,) = caplog.messages
    assert "REMI names no programs" in message and "drums are left out" in message


def test_of_drums_alone_nothing_is_left_and_a_corpus_counts_it():
    processor = MidiProcessor.from_tokenization("TSD", use_programs=False)
    drums = build_score(480, [(-1, [(0, 1, 36, 64), (1, 1, 38, 64)])])
    assert processor.encode_score(drums) == ([], 0)
    rows = {"midi": [solo().dumps_midi(), drums.dumps_midi()], "content_hash": ["a", "b"]}
    corpus = Dataset.from_dict(rows, features=Features({"midi": Midi(), "content_hash": Value("string")}))
    tokens = tokenize_corpus({"train": corpus}, processor)["train"]
    assert sorted(tokens["num_notes"])[0] == 0 and len(tokens) == 2


@pytest.mark.parametrize("name", WITHOUT_PROGRAMS[:4])
@pytest.mark.parametrize("model", ["BPE", "Unigram", "WordPiece"])
def test_without_programs_a_vocabulary_can_be_learned(name, model):
    rows = {"midi": [random_score(seed).dumps_midi() for seed in range(4)]}
    corpus = Dataset.from_dict(rows, features=Features({"midi": Midi()}))
    base = MidiProcessor.from_music_tokenizer(miditok_tokenizer(name, use_programs=False, use_tempos=True))
    trained = base.train_new_from_corpus(corpus, base.vocab_size + 40, model=model)
    score = solo()
    assert note_list(trained.decode(trained.encode(score))) == note_list(base.decode(base.encode(score)))
    assert trained.encode(score, add_bos=False) == trained.music_tokenizer(score)[0].ids


def constructors(tokenizer, tmp_path):
    """Every way to a processor."""
    tokenizer.save_pretrained(tmp_path / "miditok")
    name = type(tokenizer).__name__
    config = tokenizer.config.to_dict()
    settings = {key: config[key] for key in ("use_programs", "one_token_stream_for_programs", "special_tokens")}
    yield lambda: MidiProcessor.from_music_tokenizer(tokenizer)
    yield lambda: MidiProcessor.from_pretrained(tmp_path / "miditok")
    yield lambda: MidiProcessor.from_pretrained(tmp_path / "miditok" / "tokenizer.json")
    yield lambda: MidiProcessor.from_tokenization(name, **SETTINGS.get(name, {}), **settings)
    sound = MidiProcessor.from_tokenization("REMI")
    saved = {"class": name, **json.loads((tmp_path / "miditok" / "tokenizer.json").read_text())}
    yield lambda: MidiProcessor(sound.tokenizer, saved)
    sound.save_pretrained(tmp_path / "bundle")
    config_file = tmp_path / "bundle" / "processor_config.json"
    config_file.write_text(json.dumps(json.loads(config_file.read_text()) | {"miditok": saved}))
    yield lambda: MidiProcessor.from_pretrained(tmp_path / "bundle")


@pytest.mark.parametrize("name", SEVERAL_IDS)
@pytest.mark.parametrize("use_programs", [True, False])
def test_several_ids_at_a_time_are_refused_by_name_in_every_constructor(name, use_programs, tmp_path):
    tokenizer = miditok_tokenizer(name, use_programs=use_programs)
    for construct in constructors(tokenizer, tmp_path):
        with pytest.raises(ValueError, match=f"{name} writes several ids at a time"):
            construct()


@pytest.mark.parametrize("name", WITHOUT_PROGRAMS)
def test_a_stream_for_each_track_is_refused_by_name_in_every_constructor(name, tmp_path):
    tokenizer = miditok_tokenizer(name, use_programs=True, one_token_stream_for_programs=False)
    for construct in constructors(tokenizer, tmp_path):
        with pytest.raises(ValueError, match=f"This {name} writes a sequence for each track.*use_programs=False"):
            construct()


@pytest.mark.parametrize("missing", [("BOS",), ("EOS",), ("PAD", "BOS", "EOS")])
def test_missing_special_tokens_are_named_in_every_constructor(missing, tmp_path):
    special = [token for token in SPECIAL if token not in missing]
    tokenizer = miditok_tokenizer("REMI", special_tokens=special)
    absent = ", ".join(f"{token}_None" for token in missing if f"{token}_None" not in tokenizer.vocab)
    for construct in constructors(tokenizer, tmp_path):
        with pytest.raises(ValueError, match=f"This REMI has no {absent}.*special_tokens"):
            construct()
