import json
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from symusic import Score
from tokenization.sample_scores import SCORES, build_score, note_list, random_score, tempo_list
from transformers import AutoProcessor, BatchEncoding

from neuromusic_hf import MidiProcessor
from neuromusic_hf.tokenization.infill_tokens import INFILL_TOKENS

FRESH_PROCESS = """
import json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("neuromusic_hf", "miditok", "symusic"):
            raise ImportError(f"this process must not import {name}")

sys.meta_path.insert(0, Refuse())
from transformers import AutoTokenizer

for case in json.load(open(sys.argv[1])):
    tokenizer = AutoTokenizer.from_pretrained(case["folder"])
    special = [tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id]
    assert special == [0, 1, 2], special
    assert sorted(tokenizer.all_special_ids) == [*special, *range(len(tokenizer) - 4, len(tokenizer))]
    text = tokenizer.decode(case["ids"], skip_special_tokens=True)
    assert text == case["text"], (case["folder"], text[:300], case["text"][:300])
    assert tokenizer.decode([1, *case["ids"]]).split()[0] == "BOS_None"
    if case["text_gives_ids"]:
        assert tokenizer(case["text"]).input_ids == case["ids"], case["folder"]
        assert tokenizer("BOS_None " + case["text"]).input_ids == [1, *case["ids"]], case["folder"]
    assert tokenizer.decode(tokenizer(case["text"]).input_ids) == case["text"], case["folder"]
assert not {"neuromusic_hf", "miditok", "symusic"} & set(sys.modules)
print("equal")
"""


def token_text(processor, ids):
    """miditok's own base tokens of `ids`, each after a blank."""
    tokenizer = processor.music_tokenizer
    if tokenizer.is_trained:
        by_id = {index: piece for piece, index in tokenizer.vocab_model.items()}
        tokens_of = tokenizer._vocab_learned_bytes_to_tokens
        return "".join(f" {token}" for index in ids for token in tokens_of[by_id[index]])
    by_id = {index: token for token, index in tokenizer.vocab.items()}
    return "".join(f" {by_id[index]}" for index in ids)


@pytest.fixture
def pieces():
    return [random_score(seed, notes=12 + 6 * seed) for seed in range(3)]


def test_ids_are_those_of_miditok(processor, score):
    expected = processor.music_tokenizer.encode(processor.quantise(score), no_preprocess_score=True).ids
    assert len(expected) > 30
    pad, bos, eos = 0, 1, 2
    assert processor.encode(score, add_bos=False) == expected
    assert processor.encode(score) == [bos, *expected]
    assert processor.encode(score, add_eos=True) == [bos, *expected, eos]
    assert processor(score, add_bos=False, add_eos=True)["input_ids"] == [*expected, eos]
    assert pad not in expected and bos not in expected and eos not in expected


def test_the_special_ids_are_the_same_in_both_tokenizers(processor):
    names = {"pad": "PAD_None", "bos": "BOS_None", "eos": "EOS_None"}
    for role, name in names.items():
        assert getattr(processor.tokenizer, f"{role}_token_id") == processor.music_tokenizer.vocab[name]
    infilling = dict(zip(INFILL_TOKENS, processor.infill_ids, strict=True))
    assert processor.tokenizer.get_vocab() == processor.music_tokenizer.vocab | infilling
    assert processor.vocab_size == len(processor.music_tokenizer.vocab) + 4


def test_every_form_of_a_piece_gives_the_same_ids(processor, tmp_path):
    midi = random_score(4).dumps_midi()
    path = tmp_path / "piece.mid"
    path.write_bytes(midi)
    expected = processor(Score.from_midi(midi))["input_ids"]
    for form in (path, str(path), midi, {"bytes": midi, "path": None}, {"path": str(path)}):
        assert processor(form)["input_ids"] == expected, form
        assert processor([form])["input_ids"] == [expected]
    assert processor((path, midi))["input_ids"] == [expected, expected]


def test_unreadable_input_in_a_list_names_the_file(processors, tmp_path):
    broken = tmp_path / "broken.mid"
    broken.write_bytes(b"this is not MIDI at all")
    with pytest.raises(RuntimeError, match="broken.mid"):
        processors["REMI"]([random_score(0), broken])


def test_lists_by_default_and_tensors_where_asked_for(processor, pieces):
    single = processor(pieces[0])
    assert isinstance(single, BatchEncoding) and isinstance(single["input_ids"][0], int)
    assert single["attention_mask"] == [1] * len(single["input_ids"])
    batch = processor(pieces)
    assert [len(row) for row in batch["attention_mask"]] == [len(row) for row in batch["input_ids"]]
    tensors = processor(pieces[0], return_tensors="pt")
    assert tensors["input_ids"].dtype == torch.int64
    assert tensors["input_ids"].tolist() == [single["input_ids"]]
    arrays = processor(pieces, padding=True, return_tensors="np")
    assert isinstance(arrays["input_ids"], np.ndarray) and arrays["input_ids"].shape[0] == 3


@pytest.mark.parametrize("side", ["left", "right", None])
def test_padding_fills_one_side_and_the_mask_says_where(processor, pieces, side):
    rows = processor(pieces)["input_ids"]
    batch = processor(pieces, padding=True, padding_side=side, return_tensors="pt")
    side = side or processor.tokenizer.padding_side
    longest = max(map(len, rows))
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (3, longest)
    assert len(set(map(len, rows))) == 3
    for row, padded, mask in zip(rows, batch["input_ids"].tolist(), batch["attention_mask"].tolist(), strict=True):
        pads, real = [0] * (longest - len(row)), [1] * len(row)
        assert padded == (pads + row if side == "left" else row + pads)
        assert mask == (pads + real if side == "left" else real + pads)


def test_max_length_keeps_the_first_tokens(processor, pieces):
    rows = processor(pieces, add_eos=True)["input_ids"]
    cut = processor(pieces, add_eos=True, max_length=70)
    assert cut["input_ids"] == [row[:70] for row in rows]
    assert min(map(len, rows)) < 120 and max(map(len, rows)) > 120
    fixed = processor(pieces, add_eos=True, max_length=120, padding="max_length", return_tensors="pt")
    assert fixed["input_ids"].shape == (3, 120)
    assert fixed["attention_mask"].sum(1).tolist() == [min(120, len(row)) for row in rows]


def test_pad_pads_what_was_encoded_before(processor, pieces):
    encoded = {"input_ids": [processor.encode(piece) for piece in pieces]}
    together = processor(pieces, padding=True, return_tensors="pt")
    assert torch.equal(processor.pad(encoded, return_tensors="pt")["input_ids"], together["input_ids"])


def test_a_piece_without_notes_is_bos_and_eos_and_decodes_to_silence(processor):
    silent = build_score(480, [(0, [])], tempos=((0, 90), (4, 60)))
    assert processor.encode(silent, add_eos=True) == [1, 2]
    assert processor.encode_score(silent) == ([], 0)
    assert processor.decode([1, 2]).note_num() == 0


def test_encode_score_counts_the_notes_it_writes(processor, score):
    ids, num_notes = processor.encode_score(score)
    assert num_notes == processor.decode(ids).note_num() > 0


def test_decode_skips_special_tokens_wherever_they_are(processor):
    ids = processor.encode(random_score(6), add_bos=False)
    expected = note_list(processor.decode(ids))
    rng = random.Random(0)
    mixed = [token for index in ids for token in [rng.choice([0, 1, 2])] * rng.randrange(3) + [index]]
    assert len(mixed) > 1.5 * len(ids)
    assert note_list(processor.decode([1, *mixed, 2, 0, 0])) == expected


def test_decode_takes_lists_arrays_and_tensors_and_batches_of_them(processor, pieces):
    batch = processor(pieces, add_eos=True, padding=True, return_tensors="pt")["input_ids"]
    expected = [note_list(processor.decode(processor.encode(piece))) for piece in pieces]
    assert [len(notes) > 5 for notes in expected] == [True] * 3
    for rows in (batch, batch.numpy(), batch.tolist()):
        assert [note_list(score) for score in processor.decode(rows)] == expected
        assert [note_list(score) for score in processor.batch_decode(rows)] == expected
        assert note_list(processor.decode(rows[1])) == expected[1]


@pytest.mark.parametrize("empty", [[], [0, 0], [1], [1, 2], np.zeros(0, dtype=int), torch.zeros(0, dtype=torch.long)])
def test_nothing_decodes_to_a_score_without_notes(processor, empty):
    score = processor.decode(empty)
    assert score.note_num() == 0
    score.dumps_midi()


def test_what_is_cut_off_anywhere_decodes_to_the_notes_before_the_cut(processor):
    score = random_score(7, notes=30)
    ids = processor.encode(score)
    whole = note_list(processor.decode(ids))
    counts = []
    for end in range(len(ids) + 1):
        notes = note_list(processor.decode(ids[:end]))
        assert set(notes) <= set(whole)
        counts.append(len(notes))
    assert counts[0] == 0 and counts[-1] == len(whole) and counts == sorted(counts)
    assert max(after - before for before, after in zip(counts, counts[1:], strict=False)) == 1


def test_any_ids_decode_to_a_file_that_can_be_read_back(processor):
    rng = np.random.default_rng(0)
    notes = 0
    for length in [1, 2, 3] * 10 + [20, 300] * 15:
        score = processor.decode(rng.integers(0, processor.vocab_size, length))
        back = Score.from_midi(score.dumps_midi())
        assert back.note_num() == score.note_num()
        notes += score.note_num()
    chunks = [processor.encode(SCORES[name]()) for name in sorted(SCORES)]
    shuffled = np.concatenate([rng.permutation(chunk)[:400] for chunk in chunks])
    processor.decode(shuffled).dumps_midi()
    joined = processor.decode(np.concatenate([chunk[: len(chunk) // 2] for chunk in chunks]))
    assert Score.from_midi(joined.dumps_midi()).note_num() == joined.note_num() > 100


def test_any_ids_of_a_trained_vocabulary_decode_to_a_file(trained_processor):
    rng = np.random.default_rng(1)
    for _ in range(20):
        score = trained_processor.decode(rng.integers(0, trained_processor.vocab_size, 100))
        assert Score.from_midi(score.dumps_midi()).note_num() == score.note_num()


def test_default_tempo_is_for_tokenizers_that_write_none(processors):
    score = random_score(8, tempos=((0, 75),))
    for name, expected in (("REMI", 75), ("TSD", 75), ("Structured", 140)):
        processor = processors[name]
        ids = processor.encode(score)
        assert tempo_list(processor.decode(ids, default_tempo=140)) == [(0, expected)]
        assert tempo_list(processor.decode([ids], default_tempo=140)[0]) == [(0, expected)]
        assert tempo_list(processor.batch_decode([ids], default_tempo=140)[0]) == [(0, expected)]
        assert tempo_list(processor.decode(ids)) == [(0, 75 if name != "Structured" else 120)]


@pytest.mark.parametrize("load", [MidiProcessor.from_pretrained, AutoProcessor.from_pretrained])
def test_a_saved_processor_comes_back_whole(processor, load, tmp_path, score):
    processor.save_pretrained(tmp_path)
    loaded = load(tmp_path)
    assert type(loaded) is MidiProcessor
    assert loaded.to_dict() == processor.to_dict()
    assert loaded.tokenizer.get_vocab() == processor.tokenizer.get_vocab()
    assert loaded.encode(score) == processor.encode(score)
    loaded.save_pretrained(tmp_path / "again")
    for name in ("processor_config.json", "tokenizer.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_trained_processor_comes_back_whole(trained_processor, tmp_path):
    score = random_score(100)
    trained_processor.save_pretrained(tmp_path)
    loaded = AutoProcessor.from_pretrained(tmp_path)
    assert type(loaded) is MidiProcessor and loaded.music_tokenizer.is_trained
    assert loaded.to_dict() == trained_processor.to_dict()
    ids = trained_processor.encode(score)
    assert loaded.encode(score) == ids
    assert note_list(loaded.decode(ids)) == note_list(trained_processor.decode(ids))


def test_the_bundle_works_in_a_process_that_knows_nothing_of_music(processors, trained_processors, tmp_path):
    score = random_score(101)
    cases = []
    for tokenization in processors:
        for model in (None, "BPE", "Unigram", "WordPiece"):
            processor = trained_processors(tokenization, model) if model else processors[tokenization]
            folder = tmp_path / f"{tokenization}-{model}"
            processor.save_pretrained(folder)
            ids = processor.encode(score, add_bos=False)
            text = token_text(processor, ids)
            base = processors[tokenization].encode(score, add_bos=False)
            assert text == token_text(processors[tokenization], base)
            text_gives_ids = model != "WordPiece"  # which splits at bars, as text cannot tell
            cases.append({"folder": str(folder), "ids": ids, "text": text, "text_gives_ids": text_gives_ids})
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    command = [sys.executable, "-c", FRESH_PROCESS, str(tmp_path / "cases.json")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "equal"


def edit_config(folder, edit):
    path = folder / "processor_config.json"
    config = json.loads(path.read_text())
    edit(config)
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    "edit",
    [
        lambda config: config.update(vocabulary_hash="0" * 64),
        lambda config: config["miditok"]["config"].update(num_velocities=32),
        lambda config: config["miditok"]["config"].update(pitch_range=[22, 110]),
        lambda config: config["miditok"]["config"].update(
            chord_maps=dict(reversed(config["miditok"]["config"]["chord_maps"].items()))
        ),
        lambda config: config["miditok"].update({"class": "TSD"}),
    ],
    ids=["hash", "num_velocities", "pitch_range", "order of chords", "class"],
)
@pytest.mark.parametrize("load", [MidiProcessor.from_pretrained, AutoProcessor.from_pretrained])
def test_a_config_that_builds_another_vocabulary_is_refused(processors, edit, load, tmp_path):
    processors["REMI"].save_pretrained(tmp_path)
    load(tmp_path)
    edit_config(tmp_path, edit)
    with pytest.raises(ValueError, match="(?s)vocabulary.*hash.*miditok"):
        load(tmp_path)


def test_a_tokenizer_file_of_another_bundle_is_refused(processors, tmp_path):
    processors["REMI"].save_pretrained(tmp_path / "remi")
    processors["TSD"].save_pretrained(tmp_path / "tsd")
    (tmp_path / "remi" / "tokenizer.json").write_bytes((tmp_path / "tsd" / "tokenizer.json").read_bytes())
    with pytest.raises(ValueError, match="different bundles"):
        MidiProcessor.from_pretrained(tmp_path / "remi")


def test_the_repr_and_json_hold_plain_values(processor):
    saved = json.loads(processor.to_json_string())
    assert saved["processor_class"] == "MidiProcessor"
    assert saved["miditok"]["class"] == processor.tokenization
    assert len(saved["vocabulary_hash"]) == 64
    assert {"miditok_version", "symusic_version", "config"} <= set(saved["miditok"])


@pytest.mark.parametrize("outside", [-100, 928, 10_000])
def test_an_id_outside_the_vocabulary_is_named(outside):
    processor = MidiProcessor.from_tokenization("REMI")
    assert processor.vocab_size == 928
    with pytest.raises(ValueError, match=f"{outside} is no id.*927"):
        processor.decode([1, 3, outside])


def test_a_batch_of_empty_rows_is_a_batch():
    processor = MidiProcessor.from_tokenization("REMI")
    scores = processor.decode(np.empty((2, 0), dtype=int))
    assert [score.note_num() for score in scores] == [0, 0]
    assert processor.decode(np.empty((0, 7), dtype=int)) == []
