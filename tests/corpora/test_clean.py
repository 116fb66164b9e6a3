"""Pieces that have a twin in train are found, and called by their names."""

from datasets import Dataset, DatasetDict, Features

from neuromusic_hf import load_corpus
from neuromusic_hf.corpora.clean import piece_name, twins_in_train
from neuromusic_hf.music import Midi


def test_each_piece_with_a_twin_has_the_nearest_one(leaking_corpus):
    corpus = load_corpus(leaking_corpus)
    assert twins_in_train(corpus["test"], corpus["train"]) == {1: "train 3", 4: "train 7"}
    assert twins_in_train(corpus["validation"], corpus["train"]) == {}
    assert twins_in_train(corpus["train"], corpus["test"]) == {3: "test 3", 7: "test 7"}
    assert twins_in_train(corpus["train"], corpus["train"]) == {row: f"train {row}" for row in range(12)}
    assert twins_in_train(corpus["test"].select([]), corpus["train"]) == {}


def test_of_several_twins_the_one_that_shares_most_counts(make_score):
    whole = make_score(0, notes=80)
    half, most = (whole.clip(0, ticks, clip_end=True) for ticks in (480 * 20, 480 * 32))
    scores = {"half": half, "most": most, "other": make_score(1, notes=80)}
    midi = [{"bytes": score.dumps_midi(), "path": f"{name}.mid"} for name, score in scores.items()]
    train = Dataset.from_dict({"midi": midi}, features=Features({"midi": Midi()}))
    pieces = Dataset.from_dict({"midi": [whole]}, features=Features({"midi": Midi()}))
    assert twins_in_train(pieces, train) == {0: "most"}


def test_note_for_note_copies_are_found_without_a_melody(tmp_path, cache_dir, make_score):
    splits = DatasetDict()
    for split, seeds in {"train": (0, 1, 2), "validation": (3,), "test": (4, 1, 5)}.items():
        midi = [{"bytes": make_score(seed, drum=True).dumps_midi(), "path": f"{seed}.mid"} for seed in seeds]
        splits[split] = Dataset.from_dict({"midi": midi}, features=Features({"midi": Midi()}))
    splits.save_to_disk(tmp_path / "saved")
    loaded = load_corpus(tmp_path / "saved", cache_dir=cache_dir)
    assert twins_in_train(loaded["test"], loaded["train"]) == {1: "1"}
    assert twins_in_train(loaded["validation"], loaded["train"]) == {}


def test_a_piece_is_called_by_its_title_its_file_or_its_notes():
    row = {"title": "Air\n", "midi": {"path": "deep/012.mid"}, "content_hash": "0123456789abcdef"}
    assert piece_name(row) == "Air\ufffd"
    assert piece_name(row | {"title": None}) == "012"
    assert piece_name(row | {"title": None, "midi": {"path": None}}) == "0123456789ab"
