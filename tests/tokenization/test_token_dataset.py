import random

import numpy as np
import pytest
from datasets import Dataset, DatasetDict, Features, Value
from preloaded import run_code
from tokenization.sample_scores import DRUMS, build_score, note_list, random_score, tempo_list

from neuromusic_hf import MidiProcessor, load_corpus
from neuromusic_hf.music import Midi
from neuromusic_hf.tokenization import TOKEN_FEATURES, Augmentation, Variant, token_dataset, tokenize_corpus
from neuromusic_hf.tokenization.music_encoding import MusicEncoder
from neuromusic_hf.tokenization.token_dataset import evenly_mixed

SECOND_START = """
import sys
from neuromusic_hf import MidiProcessor, load_corpus
from neuromusic_hf.tokenization import Augmentation, tokenize_corpus
from neuromusic_hf.tokenization.music_encoding import MusicEncoder

def refuse(*args):
    raise AssertionError("a piece was tokenised a second time")

folder, cache = sys.argv[1:]
corpus = load_corpus(folder, cache_dir=cache, split_shares=(0.6, 0.2, 0.2))
MusicEncoder.write = refuse
processor = MidiProcessor.from_tokenization("REMI")
tokens = tokenize_corpus(corpus, processor, augmentation=Augmentation(variants=1))
print({split: len(rows) for split, rows in tokens.items()})
"""


@pytest.fixture
def no_tokenizer(monkeypatch):
    def refuse(*args):
        raise AssertionError("a piece was tokenised a second time")

    def switch_off():
        monkeypatch.setattr(MusicEncoder, "write", refuse)

    return switch_off


def rows_of(tokens):
    return {split: rows.with_format(None).to_list() for split, rows in tokens.items()}


def by_variant(rows):
    return {
        (row["content_hash"], row["pitch_shift"], row["velocity_shift"], row["tempo_factor"]): row["input_ids"]
        for row in rows
    }


def test_every_piece_is_a_row_of_the_ids_the_processor_gives(processor, corpus):
    tokens = tokenize_corpus(corpus, processor)
    assert set(tokens) == {"train", "validation", "test"}
    for split, pieces in corpus.items():
        assert tokens[split].features == TOKEN_FEATURES
        scores = dict(zip(pieces["content_hash"], pieces["midi"], strict=True))
        assert sorted(tokens[split]["content_hash"]) == sorted(pieces["content_hash"])
        for row in tokens[split]:
            assert row["input_ids"] == processor.encode(scores[row["content_hash"]], add_eos=True)
            assert row["num_notes"] == processor.decode(row["input_ids"]).note_num()
            assert (row["pitch_shift"], row["velocity_shift"], row["tempo_factor"]) == (0, 0, 1)


@pytest.mark.parametrize("processes", [2, 3, 8, 16])
def test_processes_that_take_a_stretch_each_have_as_much_to_do(processes):
    num_notes = np.sort(np.random.default_rng(0).lognormal(8, 0.8, 1000).astype(int))
    order = evenly_mixed(num_notes)
    assert sorted(order) == list(range(1000))
    shares = [stretch.sum() / num_notes.sum() for stretch in np.array_split(num_notes[order], processes)]
    in_a_row = [stretch.sum() / num_notes.sum() for stretch in np.array_split(num_notes, processes)]
    assert max(shares) * processes < 1.2 < max(in_a_row) * processes


def test_tokens_that_other_code_made_are_not_taken(processor, corpus, monkeypatch):
    known = {tokenize_corpus(corpus, processor)["train"]._fingerprint}
    for name in ("code_of_classes", "code_of_rooms"):
        monkeypatch.setattr(token_dataset, name, lambda *code, name=name: f"other {name}")
        known.add(tokenize_corpus(corpus, processor)["train"]._fingerprint)
    assert len(known) == 3


def test_a_second_call_is_answered_from_the_cache(processor, corpus, no_tokenizer):
    how = Augmentation(variants=1, seed=11)
    first = rows_of(tokenize_corpus(corpus, processor, augmentation=how))
    no_tokenizer()
    assert rows_of(tokenize_corpus(corpus, processor, augmentation=Augmentation(variants=1, seed=11))) == first
    rebuilt = MidiProcessor.from_tokenization(processor.tokenization)
    assert rows_of(tokenize_corpus(corpus, rebuilt, augmentation=how)) == first


@pytest.mark.parametrize(
    "change",
    [
        {"processor": MidiProcessor.from_tokenization("TSD", num_velocities=8)},
        {"processor": MidiProcessor.from_tokenization("TSD", remove_duplicated_notes=False)},
        {"augmentation": Augmentation(variants=1, seed=1)},
        {"augmentation": Augmentation(variants=2)},
        {"augmentation": Augmentation(variants=1, max_pitch_shift=4)},
    ],
    ids=["vocabulary", "same vocabulary, other config", "seed", "variants", "limits"],
)
def test_a_change_of_config_or_augmentation_is_tokenised_anew(processors, corpus, change, no_tokenizer):
    same = {"processor": processors["TSD"], "augmentation": Augmentation(variants=1)}
    tokenize_corpus(corpus, **same)
    no_tokenizer()
    tokenize_corpus(corpus, **same)
    with pytest.raises(AssertionError, match="second time"):
        tokenize_corpus(corpus, **(same | change))


def test_a_tokenizer_that_was_changed_is_not_answered_from_the_cache(corpus):
    processor, pieces = MidiProcessor.from_tokenization("TSD"), corpus["test"]
    scores = dict(zip(pieces["content_hash"], pieces["midi"], strict=True))
    tokenize_corpus(corpus, processor)
    vars(processor.music_tokenizer.config).update(use_tempos=False)
    for row in tokenize_corpus(corpus, processor)["test"]:
        assert row["input_ids"] == processor.encode(scores[row["content_hash"]], add_eos=True)


def test_a_trained_vocabulary_is_tokenised_apart(processors, trained_processors, corpus):
    plain = tokenize_corpus(corpus, processors["REMI"])["validation"]
    trained = tokenize_corpus(corpus, trained_processors("REMI", "BPE"))["validation"]
    for before, after in zip(plain, trained, strict=True):
        assert len(after["input_ids"]) < len(before["input_ids"])
        assert after["num_notes"] == before["num_notes"]


def test_two_processes_give_what_one_gives(processors, tmp_path, no_tokenizer, monkeypatch):
    monkeypatch.setattr(token_dataset, "FEWEST_OF_ARRAYS", 2)
    for seed in range(30):
        random_score(seed, notes=15).dump_midi(tmp_path / f"{seed}.mid")
    how = Augmentation(variants=1)
    runs = []
    for num_proc in (2, None):
        cache = tmp_path / f"cache {num_proc}"
        pieces = load_corpus(tmp_path, cache_dir=cache, split_shares=(0.6, 0.2, 0.2))
        tokens = tokenize_corpus(pieces, processors["TSD"], augmentation=how, num_proc=num_proc)
        runs.append(rows_of(tokens))
        if num_proc == 2:
            two = pieces
    assert runs[0] == runs[1] and len(runs[0]["train"]) > 20
    no_tokenizer()
    for num_proc in (2, None, 3):
        assert rows_of(tokenize_corpus(two, processors["TSD"], augmentation=how, num_proc=num_proc)) == runs[0]


def test_a_second_start_reads_the_cache(processors, tmp_path):
    folder, cache = tmp_path / "midi", tmp_path / "cache"
    folder.mkdir()
    for seed in range(20):
        random_score(seed, notes=15).dump_midi(folder / f"{seed}.mid")
    pieces = load_corpus(folder, cache_dir=cache, split_shares=(0.6, 0.2, 0.2))
    tokens = tokenize_corpus(pieces, processors["REMI"], augmentation=Augmentation(variants=1))
    done = run_code(SECOND_START, str(folder), str(cache), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(str({split: len(rows) for split, rows in tokens.items()}))


def test_only_training_pieces_get_variants_and_each_is_recorded(processor, corpus):
    tokens = tokenize_corpus(corpus, processor, augmentation=Augmentation(variants=2, seed=3))
    assert {split: len(rows) / len(corpus[split]) for split, rows in tokens.items()} == {
        "train": 3,
        "validation": 1,
        "test": 1,
    }
    plain = tokenize_corpus(corpus, processor)
    for split in ("validation", "test"):
        assert tokens[split].to_list() == plain[split].to_list()
    scores = dict(zip(corpus["train"]["content_hash"], corpus["train"]["midi"], strict=True))
    rows = tokens["train"].to_list()
    assert len({tuple(row["input_ids"]) for row in rows}) > 2.8 * len(scores)
    for row in rows:
        score = scores[row["content_hash"]]
        variant = Variant(row["pitch_shift"], row["velocity_shift"], row["tempo_factor"])
        ids, num_notes = processor.encode_score(variant.apply(score))
        assert row["num_notes"] == num_notes
        decoded, again = processor.decode(row["input_ids"]), processor.decode(ids)
        assert note_list(decoded) == note_list(again)
        # the column holds the factor in single precision, which may tip a tempo between two steps
        for found, expected in zip(tempo_list(decoded), tempo_list(again), strict=True):
            assert abs(found[1] - expected[1]) <= 5


def test_variants_do_not_depend_on_the_order_of_the_corpus(processors, corpus):
    how = Augmentation(variants=2, seed=4)
    order = list(range(len(corpus["train"])))
    random.Random(0).shuffle(order)
    shuffled = DatasetDict(train=corpus["train"].select(order[:20]))
    some = by_variant(tokenize_corpus(shuffled, processors["REMI"], augmentation=how)["train"].to_list())
    whole = by_variant(tokenize_corpus(corpus, processors["REMI"], augmentation=how)["train"].to_list())
    assert len(some) == 60 and len(whole) == 3 * len(corpus["train"])
    assert some == {key: whole[key] for key in some}


def test_variants_leave_drums_alone_and_pitches_in_range(corpus):
    processor = MidiProcessor.from_tokenization("REMI", pitch_range=(21, 109))
    tokens = tokenize_corpus(corpus, processor, augmentation=Augmentation(variants=3, max_pitch_shift=12, seed=5))
    drums, shifts = {}, set()
    for row in tokens["train"]:
        notes = note_list(processor.decode(row["input_ids"]))
        beats = [(onset, pitch) for onset, _, pitch, _, program in notes if program == DRUMS]
        assert drums.setdefault(row["content_hash"], beats) == beats
        assert all(21 <= note[2] <= 109 and 1 <= note[3] <= 127 for note in notes)
        shifts.add(row["pitch_shift"])
    assert sum(bool(beats) for beats in drums.values()) > 5
    assert min(shifts) < -5 and max(shifts) > 5
    counts = {}
    for row in tokens["train"]:
        assert counts.setdefault(row["content_hash"], row["num_notes"]) == row["num_notes"], "a note was shifted out"


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured"])
def test_a_piece_the_tokenizer_keeps_no_note_of_stays_and_says_so(name):
    silent = build_score(480, [(0, [(0, 1, 5, 64), (1, 1, 127, 64)])])
    rows = {"midi": [silent.dumps_midi()], "content_hash": ["x"], "title": ["too low and too high"]}
    features = Features({"midi": Midi(), "content_hash": Value("string"), "title": Value("string")})
    corpus = DatasetDict(train=Dataset.from_dict(rows, features=features))
    processor = MidiProcessor.from_tokenization(name, pitch_range=(21, 109))
    tokens = tokenize_corpus(corpus, processor)["train"]
    assert tokens.column_names == list(TOKEN_FEATURES)
    assert tokens[0]["changed"]["dropped_pitches"] == 2 and tokens[0]["piece"] == "x"
    assert tokens[0]["input_ids"] == [1, 2] and tokens[0]["num_notes"] == 0


@pytest.mark.parametrize(
    ("name", "pieces", "most", "expected"),
    [
        ("REMI", 80, 4, None),
        ("REMI", 170, 4, 3),
        ("REMI", 4000, 4, 4),
        ("MIDILike", 5, 4, 2),
        ("REMI", 4000, None, None),
    ],
)
def test_processes_are_started_where_they_have_enough_to_do(processor_of, name, pieces, most, expected):
    assert token_dataset._num_processes(pieces, processor_of(name), most) == expected
