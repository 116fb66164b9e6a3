"""Processors of a stranger: refused by file and reason before anything is imported or built."""

import functools
import json
import sys
import types

import pytest
from datasets import Dataset, Features
from hostile.conftest import change
from miditok import TSD
from music import make_score
from transformers import AutoProcessor

from neuromusic_hf import MidiProcessor
from neuromusic_hf.imports import imported_class
from neuromusic_hf.models.adapters import load_processor
from neuromusic_hf.music import Midi
from neuromusic_hf.tokenization.text_tokenizer import MusicTextTokenizer
from neuromusic_hf.training import ModelArguments
from neuromusic_hf.training.processor import load_processor as load_processor_of_a_run

LOADS = [MidiProcessor.from_pretrained, AutoProcessor.from_pretrained, load_processor]


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("name", ["stranger.Tokenizer", "this.Zen", "os.system", "evil.stranger.Tokenizer"])
def test_a_class_that_a_file_names_is_not_imported(load, name, evil, stranger, refused):
    change(evil / "processor_config.json", "miditok", **{"class": name})
    with refused(str(evil / "processor_config.json"), name, "trust_remote_code=True"):
        load(str(evil))


@pytest.mark.parametrize("load", LOADS[:2])
def test_it_is_imported_where_it_is_trusted_and_taken_where_it_is_imported(load, evil, stranger, tmp_path):
    change(evil / "processor_config.json", "miditok", **{"class": "stranger.Tokenizer"})
    assert load(evil, trust_remote_code=True).tokenization == "stranger.Tokenizer"
    assert (tmp_path / "it_ran").exists() and "stranger" in sys.modules
    assert load(evil).tokenization == "stranger.Tokenizer"


def test_training_goes_on_from_a_checkpoint_with_the_class_that_its_user_names(evil, stranger, refused):
    change(evil / "processor_config.json", "miditok", **{"class": "stranger.Tokenizer"})
    with refused(str(evil / "processor_config.json"), "stranger.Tokenizer"):
        load_processor_of_a_run(ModelArguments(tokenization="REMI"), str(evil))
    resumed = load_processor_of_a_run(ModelArguments(tokenization="stranger.Tokenizer"), str(evil))
    assert resumed.tokenization == "stranger.Tokenizer"


def test_what_a_process_has_already_is_not_looked_for_by_force(stranger, monkeypatch):
    module = types.ModuleType("lazy")
    module.__getattr__ = pytest.fail
    monkeypatch.setitem(sys.modules, "lazy", module)
    assert imported_class("lazy.Tokenizer", TSD) is None
    assert imported_class("stranger.Tokenizer", TSD) is None and "stranger" not in sys.modules
    assert imported_class("miditok.TSD", TSD) is TSD and imported_class("miditok.REMI", TSD) is None


@pytest.mark.parametrize(
    "name", ["TokenizerConfig", "MusicTokenizer", "classes", "__builtins__", "", 7, None, ["REMI"]]
)
def test_what_is_no_tokenizer_of_miditok_is_refused(name, evil, refused):
    change(evil / "processor_config.json", "miditok", **{"class": name})
    with refused("processor"):
        MidiProcessor.from_pretrained(evil)


@pytest.mark.parametrize("name", ["stranger.Tokenizer", "os.system", "Tokenizer", "TokenizerConfig"])
def test_miditok_s_own_file_is_taken_with_classes_of_miditok_alone(name, evil, stranger, refused):
    TSD().save(evil / "tokenizer.json")
    change(evil / "tokenizer.json", tokenization=name)
    with refused(str(evil / "tokenizer.json"), name):
        MidiProcessor.from_pretrained(evil)


def test_that_too_names_others_where_it_is_trusted(evil, stranger, tmp_path):
    TSD().save(evil / "tokenizer.json")
    change(evil / "tokenizer.json", tokenization="stranger.Tokenizer")
    for load in (MidiProcessor.from_pretrained, load_processor):
        assert load(str(evil), trust_remote_code=True).tokenization == "stranger.Tokenizer"
    assert (tmp_path / "it_ran").exists()


def test_a_stranger_s_settings_do_not_replace_methods(evil, refused):
    change(evil / "processor_config.json", "miditok", encode="x")
    with refused(str(evil / "processor_config.json"), "'encode'"):
        MidiProcessor.from_pretrained(evil)


@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize("swapped", ["Pitch_60 Pitch_61", "Position_0 Position_1", "BOS_None EOS_None"])
def test_another_vocabulary_of_equal_size_is_refused_with_its_hash_and_without(swapped, hashed, evil, refused):
    first, second = swapped.split()
    saved = json.loads((evil / "tokenizer.json").read_text())
    vocabulary = saved["model"]["vocab"]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    for token in saved["added_tokens"]:
        token["id"] = vocabulary.get(token["content"], token["id"])
    (evil / "tokenizer.json").write_text(json.dumps(saved))
    if not hashed:
        change(evil / "processor_config.json", vocabulary_hash=None)
    with refused("tokenizer.json", "processor_config.json", "different"):
        MidiProcessor.from_pretrained(evil)


def test_the_processor_of_another_bundle_is_refused(evil, processor_of, refused):
    config = (evil / "processor_config.json").read_text()
    processor_of("TSD").save_pretrained(evil)
    (evil / "processor_config.json").write_text(config)
    with refused("tokenizer.json", "different"):
        MidiProcessor.from_pretrained(evil)


MANY = list(range(100_000))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("num_tempos", 2e8),
        ("num_tempos", 200_000_000),
        ("num_tempos", -1),
        ("beat_res", {"0_4": 2_000_000}),
        ("beat_res", {"0_2000000": 8}),
        ("beat_res", {"-2000000_4": 8}),
        ("beat_res", {"0_4096": 4096}),
        ("beat_res", {f"{beat}_{beat + 1}": 8 for beat in range(5000)}),
        ("beat_res_rest", {"0_4": 2_000_000}),
        ("num_velocities", 10**9),
        ("pitch_range", [0, 10**9]),
        ("drums_pitch_range", [-(10**9), 127]),
        ("tempo_range", [1, 1e300]),
        ("time_signature_range", {"4": MANY}),
        ("time_signature_range", {"4": [1_000_000_000]}),
        ("time_signature_range", {str(2**40): [4]}),
        ("special_tokens", [f"A{index}" for index in range(100_000)]),
        ("special_tokens", ["PAD", "BOS", "EOS", "X" * 1_000_000]),
        ("programs", [10**9]),
        ("use_note_duration_programs", MANY),
        ("control_change_numbers", [10**9]),
        ("control_change_n_bins", 10**9),
        ("chord_maps", {"maj": MANY}),
        ("chord_maps", {f"c{index}": [0, 4, 7] for index in range(5000)}),
        ("chord_unknown", [3, 10**9]),
        ("pitch_bend_range", [-8192, 8191, 10**9]),
        ("max_pitch_interval", 10**9),
        ("ac_repetition_track_num_bins", 10**9),
        ("additional_params", {"max_bar_embedding": 10**9}),
        ("additional_params", {"ticks_per_quarter": 10**9, "use_microtiming": False}),
        ("additional_params", {"anything": {"deeper": [10**9]}}),
        ("of_the_future", 10**9),
        ("num_tempos", float("nan")),
    ],
    ids=lambda value: str(value)[:30],
)
def test_settings_are_measured_before_anything_is_made_of_them(setting, value, evil, refused, monkeypatch):
    change(evil / "processor_config.json", "miditok", "config", **{setting: value})
    monkeypatch.setattr("neuromusic_hf.tokenization.music_tokenizer.rebuild", pytest.fail)
    name = next(iter(value)) if setting == "additional_params" else setting
    with refused(str(evil / "processor_config.json"), name):
        MidiProcessor.from_pretrained(evil)
    theirs = json.loads((evil / "processor_config.json").read_text())["miditok"]
    theirs.pop("class")
    monkeypatch.setattr("neuromusic_hf.tokenization.miditok_file.rebuild", pytest.fail)
    (evil / "mine.json").write_text(json.dumps(theirs))
    with refused(str(evil / "mine.json"), name):
        MidiProcessor.from_pretrained(evil / "mine.json")


@pytest.mark.parametrize(
    "learned",
    [
        {"_model": "{}"},
        {"_model": "[" * 100_000},
        {"_model": 7},
        {"_model": '{"model": {"vocab": {}}, "pre_tokenizer": {"pattern": {"Regex": "(a+)+$"}}}'},
        {"_model": '{"model": {"vocab": {}}, "pre_tokenizer": {"pattern": {"Regex" : "(?:.|.)*Z"}}}'},
        {"_model": '{"model": {"vocab": {}}, "normalizer": [{"pattern": {"Reg\\u0065x": "(?:.|.)*Z"}}]}'},
        {"_vocab_base": {f"Pitch_{index}": index for index in range(70_000)}},
        {"_vocab_base": [1, 2]},
        {"_vocab_base": {"Pitch_60": "x"}},
        {"_vocab_base": {"Pitch_60": 1e300}},
        {"_vocab_base_byte_to_token": 7},
    ],
    ids=lambda learned: str(learned)[:60],
)
def test_a_learned_vocabulary_is_measured(learned, evil, refused):
    change(evil / "processor_config.json", "miditok", **learned)
    with refused("processor"):
        MidiProcessor.from_pretrained(evil)


LOWER = {"type": "Lowercase"}
TENFOLD = {"type": "Replace", "pattern": {"String": "B"}, "content": "B" * 10}
LONG = {"type": "Prepend", "prepend": "x" * 20_000_000}
NOTHING = {"type": "Replace", "pattern": {"Regex": "."}, "content": ""}
SLOW = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
PADDED = {
    "strategy": {"Fixed": 3 * 10**8}, "direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "PAD_None",
}  # fmt: skip
CUT = {"max_length": 2**40, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
BOS_FIRST = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "BOS_None", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [],
    "special_tokens": {"BOS_None": {"id": "BOS_None", "ids": [1], "tokens": ["BOS_None"]}},
}


def token(index, content):
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"id": index, "content": content, **flags}


STEPS = [
    ("normalizer", LOWER),
    ("normalizer", LONG),
    ("normalizer", TENFOLD),
    ("normalizer", {"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": [TENFOLD] * 9}]}),
    ("normalizer", NOTHING),
    ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "x"}),
    ("normalizer", [LOWER]),
    ("pre_tokenizer", SLOW),
    ("pre_tokenizer", {"type": "Sequence", "pretokenizers": [SLOW, "x"]}),
    ("pre_tokenizer", {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}),
    ("decoder", {"type": "ByteLevel"}),
    ("decoder", {"type": "Replace", "pattern": {"Regex": "(a|aa)+$"}, "content": ""}),
    ("post_processor", BOS_FIRST),
    ("post_processor", {"type": "RobertaProcessing"}),
    ("added_tokens", [token(index, f"x{index}") for index in range(200_000)]),
    ("added_tokens", [token(0, "x" * 100_000)]),
    ("padding", PADDED),
    ("truncation", CUT),
]


@pytest.mark.parametrize(("part", "value"), STEPS, ids=[f"{part} {str(value)[:30]}" for part, value in STEPS])
def test_what_is_done_with_text_is_looked_at_first(part, value, evil, processor_of, refused, monkeypatch):
    change(evil / "tokenizer.json", **{part: value})
    with monkeypatch.context() as patch, refused(str(evil / "tokenizer.json"), part):
        patch.setattr(MusicTextTokenizer, "from_pretrained", pytest.fail)
        MidiProcessor.from_pretrained(evil)
    processor_of("REMI BPE").save_pretrained(evil)
    saved = json.loads((evil / "processor_config.json").read_text())
    saved["miditok"]["_model"] = json.dumps(json.loads(saved["miditok"]["_model"]) | {part: value})
    (evil / "processor_config.json").write_text(json.dumps(saved))
    with refused(str(evil / "processor_config.json"), "learned model", part):
        MidiProcessor.from_pretrained(evil)


@pytest.fixture(scope="session")
def learned(processor_of):
    """A processor by the kind of its learned vocabulary."""
    rows = {"midi": [make_score(seed).dumps_midi() for seed in range(4)]}
    corpus = Dataset.from_dict(rows, features=Features({"midi": Midi()}))
    return functools.cache(lambda kind: processor_of("REMI").train_new_from_corpus(corpus, 960, model=kind))


@pytest.mark.parametrize("trained", ["BPE", "WordPiece", "Unigram"])
@pytest.mark.parametrize("part", ["normalizer", "decoder", "model"])
def test_text_that_would_mean_other_tokens_is_refused(part, trained, evil, learned, refused):
    learned(trained).save_pretrained(evil)
    MidiProcessor.from_pretrained(evil)
    saved = json.loads((evil / "tokenizer.json").read_text())
    if part == "model":
        content = saved[part].get("merges") or saved[part]
        saved[part] |= {"merges": content[1:]} if isinstance(content, list) else {"unk_token": "BOS_None"}
        if trained == "Unigram":
            saved[part]["vocab"][9][1] = 3.0
    else:
        steps = saved[part][f"{part}s"]
        texts = [step["content"] for step in steps if "String" in step.get("pattern", ())]
        first, second = texts[-2:]
        for step in steps:
            step["content"] = {first: second, second: first}.get(step.get("content"), step.get("content"))
    (evil / "tokenizer.json").write_text(json.dumps(saved))
    with refused("tokenizer.json", f"another {part}"):
        MidiProcessor.from_pretrained(evil)


@pytest.mark.parametrize("name", ["processor_config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[" * 100_000, "no JSON"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "levels deep"),
        (b"[]", "an object"),
        (b'{"a": "' + b"x" * (33 * 2**20) + b'"}', "bytes"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"", "no JSON"),
    ],
    ids=["brackets", "deep", "list", "large", "bytes", "empty"],
)
def test_files_are_bounded(name, content, reason, evil, refused):
    (evil / name).write_bytes(content)
    with refused(name, reason):
        MidiProcessor.from_pretrained(evil)


def test_what_rust_gives_up_on_is_refused(evil, processor_of, refused):
    processor_of("REMI BPE").save_pretrained(evil)
    change(evil / "tokenizer.json", "model", continuing_subword_prefix="a" * 5000)
    with refused("tokenizer.json", "cannot be read"):
        MidiProcessor.from_pretrained(evil)


@pytest.mark.parametrize("key", ["vocab_file", "merges_file", "gguf_file", "tokenizer_object", "slow_tokenizer"])
def test_no_other_file_is_opened(key, evil, secret, refused):
    change(evil / "tokenizer_config.json", **{key: str(secret)})
    with refused(str(evil / "tokenizer_config.json"), key):
        MidiProcessor.from_pretrained(evil)


def test_another_tokenizer_file_is_not_chosen(evil, secret, refused):
    change(evil / "tokenizer_config.json", fast_tokenizer_files=[f"tokenizer.9/../{secret}.json"])
    with refused("tokenizer_config.json", "fast_tokenizer_files"):
        MidiProcessor.from_pretrained(evil)


def test_code_and_templates_beside_it_are_let_lie(evil, stranger, tmp_path):
    (evil / "stranger.py").write_text((tmp_path / "stranger.py").read_text())
    reference = {
        "AutoTokenizer": [None, "stranger.Tokenizer"],
        "AutoProcessor": "other/repository--stranger.Tokenizer",
    }
    change(evil / "tokenizer_config.json", auto_map=reference, tokenizer_class="stranger.Tokenizer")
    change(evil / "processor_config.json", auto_map=reference, processor_class="Stranger", chat_template="{{ 1/0 }}")
    (evil / "chat_template.jinja").write_text(
        "{% for i in range(10**9) %}{{ cycler.__init__.__globals__.os }}{% endfor %}"
    )
    (evil / "audio_tokenizer_config.json").write_text('{"audio_tokenizer_name_or_path": "other/repository"}')
    assert MidiProcessor.from_pretrained(evil).tokenization == "REMI"
    assert "stranger" not in sys.modules and not list(tmp_path.rglob("it_ran"))
