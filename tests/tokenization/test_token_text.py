"""Token text: what one tool writes, another reads, joined or apart."""

import json
import subprocess
import sys

import miditok
import numpy as np
import pytest
import torch
from music import make_score
from tiny import ONE_LAYER
from tokenization.sample_scores import random_score
from tokenizers.decoders import DecodeStream
from transformers import AutoTokenizer, PreTrainedTokenizerFast, TextIteratorStreamer, pipeline

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.tokenization.text_tokenizer import MusicTextTokenizer

PLAIN_PROCESS = """
import sys
from transformers import AutoTokenizer

for folder in sys.argv[1:]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = list(range(len(tokenizer)))
    assert "".join(tokenizer.decode([index]) for index in ids) == tokenizer.decode(ids)
    for unknown in ("Foo_1", "Pitch_999"):
        try:
            print("read as", tokenizer("Bar_None " + unknown).input_ids)
        except Exception as error:
            assert "out" in str(error) or "missing" in str(error).lower(), error
assert not {"neuromusic_hf", "miditok", "symusic"} & set(sys.modules)
print("refused")
"""


@pytest.fixture(params=["plain", "BPE", "Unigram", "WordPiece"])
def remi_of(request, processors, trained_processors):
    """A processor of REMI; its vocabulary plain or learned."""
    return processors["REMI"] if request.param == "plain" else trained_processors("REMI", request.param)


@pytest.fixture
def ids(remi_of):
    """Every id, then a piece, then any order."""
    rng = np.random.default_rng(0)
    size = len(remi_of.tokenizer)
    return [*range(size), *remi_of.encode(random_score(3)), *rng.integers(0, size, 200).tolist()]


@pytest.mark.parametrize("skip", [False, True])
def test_the_texts_of_parts_joined_are_the_text_of_the_whole(remi_of, ids, skip):
    tokenizer = remi_of.tokenizer
    whole = tokenizer.decode(ids, skip_special_tokens=skip)
    assert "".join(tokenizer.decode([index], skip_special_tokens=skip) for index in ids) == whole
    for cut in (0, 1, 5, len(ids) // 2, len(ids)):
        parts = (tokenizer.decode(part, skip_special_tokens=skip) for part in (ids[:cut], ids[cut:]))
        assert "".join(parts) == whole
    special = tokenizer.decode([0, 1, 2], skip_special_tokens=skip)
    assert special == ("" if skip else " PAD_None BOS_None EOS_None")


def test_streams_of_tokens_give_the_text_of_the_whole(remi_of, ids):
    tokenizer = remi_of.tokenizer
    whole = tokenizer.decode(ids)
    stream = DecodeStream(skip_special_tokens=False)
    assert "".join(stream.step(tokenizer._tokenizer, index) or "" for index in ids) == whole
    streamer = TextIteratorStreamer(tokenizer)
    for index in ids[-200:]:
        streamer.put(torch.tensor([index]))
    streamer.end()
    assert "".join(streamer) == tokenizer.decode(ids[-200:])


def test_text_read_and_written_again_stays_as_it_is(remi_of, ids):
    tokenizer = remi_of.tokenizer
    text = tokenizer.decode(ids)
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer.decode(tokenizer(text.replace(" ", "\n  ") + " ").input_ids) == text


def test_generated_text_is_a_prompt_again(remi_of, tmp_path):
    build_model("gpt2", remi_of, context_length=128, **ONE_LAYER).save_pretrained(tmp_path)
    remi_of.save_pretrained(tmp_path)
    generate = pipeline("text-generation", model=str(tmp_path), device="cpu")
    prompt = "BOS_None Bar_None TimeSig_4/4 Position_0"
    for _ in range(3):
        arguments = {"max_new_tokens": 8, "do_sample": False, "skip_special_tokens": False}
        (longer,) = generate(prompt, **arguments)
        (new,) = generate(prompt, return_full_text=False, **arguments)
        assert longer["generated_text"] == prompt + new["generated_text"] and new["generated_text"][0] == " "
        read = generate.tokenizer(longer["generated_text"]).input_ids
        assert generate.tokenizer.decode(read) == " " + longer["generated_text"].lstrip()
        prompt = longer["generated_text"]


@pytest.mark.parametrize("unknown", ["Foo_1", "Pitch_999", "pitch_60", "Position_0Program_0x", "♪"])
def test_an_unknown_word_is_named(remi_of, tmp_path, unknown):
    remi_of.save_pretrained(tmp_path)
    for tokenizer in (remi_of.tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        for text in (f"Bar_None {unknown} Pitch_60", ["Bar_None", f"Bar_None\n{unknown}"]):
            with pytest.raises(ValueError, match=f"'{unknown}' is no token of this vocabulary"):
                tokenizer(text)
            with pytest.raises(ValueError, match=unknown):
                tokenizer(text, return_tensors="pt", padding=True)


def test_the_nearest_word_is_suggested(remi_of):
    with pytest.raises(ValueError, match="did you mean 'Bar_None'"):
        remi_of.tokenizer("bar_None")


def test_without_this_package_text_is_additive_and_an_unknown_word_refused(processors, trained_processors, tmp_path):
    models = ("None", "BPE", "Unigram", "WordPiece")
    for model in models:
        processor = processors["TSD"] if model == "None" else trained_processors("TSD", model)
        processor.save_pretrained(tmp_path / model)
    command = [sys.executable, "-c", PLAIN_PROCESS, *models]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["refused"]


def test_the_tokenizer_is_a_plain_one_in_all_else(processor, tmp_path):
    processor.save_pretrained(tmp_path)
    assert type(AutoTokenizer.from_pretrained(tmp_path)) is MusicTextTokenizer
    plain = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    text = processor.tokenizer.decode(processor.encode(random_score(1)))
    assert plain(text).input_ids == processor.tokenizer(text).input_ids
    with pytest.raises(ValueError, match="TensorType"):
        processor.tokenizer(text, padding=True, return_tensors=7)


@pytest.mark.parametrize("call", [{"padding": True}, {"truncation": True, "max_length": 3}], ids=str)
def test_what_a_call_asked_for_is_not_saved(tmp_path, call):
    fresh = MidiProcessor.from_tokenization("REMI")
    fresh.save_pretrained(tmp_path / "before")
    fresh.tokenizer(["Bar_None", "BOS_None Bar_None Bar_None Bar_None"], **call)
    fresh.save_pretrained(tmp_path / "after")
    MidiProcessor.from_pretrained(tmp_path / "after").save_pretrained(tmp_path / "again")
    before, *later = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("before", "after", "again")
    )
    assert later == [before, before]


def test_tokenizers_saved_before_text_was_additive_still_load(processor, tmp_path):
    processor.save_pretrained(tmp_path)
    for name, key in (("tokenizer.json", "decoder"), ("tokenizer_config.json", "tokenizer_class")):
        saved = json.loads((tmp_path / name).read_text())
        saved[key] = {"decoder": None, "tokenizer_class": "TokenizersBackend"}[key]
        (tmp_path / name).write_text(json.dumps(saved))
    loaded = type(processor).from_pretrained(tmp_path)
    assert loaded.encode(random_score(1)) == processor.encode(random_score(1))


@pytest.mark.parametrize("model", ["BPE", "Unigram", "WordPiece"])
def test_groups_may_hold_what_miditok_calls_special_and_is_music(tmp_path, model):
    """MMM's Track_Start begins the bar that miditok learns from, and may be merged with what follows."""
    paths = [tmp_path / f"{seed}.mid" for seed in range(12)]
    for seed, path in enumerate(paths):
        make_score(seed).dump_midi(path)
    music_tokenizer = miditok.MMM(miditok.TokenizerConfig(base_tokenizer="REMI"))
    music_tokenizer.train(vocab_size=len(music_tokenizer.vocab) + 60, model=model, files_paths=paths)
    expected = music_tokenizer.encode(paths[0]).ids
    processor = MidiProcessor.from_music_tokenizer(music_tokenizer)
    assert processor.encode(paths[0], add_bos=False) == expected
    text = processor.tokenizer.decode(expected)
    assert text.startswith(" Track_Start Program_0")
    assert processor.tokenizer.decode(expected[:3]) + processor.tokenizer.decode(expected[3:]) == text
    assert processor.tokenizer.decode(processor.tokenizer.encode(text, add_special_tokens=False)) == text
