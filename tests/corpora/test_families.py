"""Twins among rows: by melody, by notes, and what is kept of them."""

import json
import logging

import pytest
from datasets import Dataset, Features, Value

from neuromusic_hf.corpora import inspect_midi, load_corpus
from neuromusic_hf.corpora.families import COPY_FEATURES, MELODY, melodies_of, twins_of
from neuromusic_hf.music import Midi
from neuromusic_hf.twins import Twin


@pytest.fixture
def rows_of(make_midi):
    """Rows of drum loops, of which no two have melody to share, by their seeds."""

    def make(*seeds):
        midi = [make_midi(seed, drum=True) for seed in seeds]
        facts = [inspect_midi(each) for each in midi]
        rows = {"midi": [{"bytes": each, "path": None} for each in midi]}
        rows |= {name: [getattr(each, name) for each in facts] for name in COPY_FEATURES}
        return Dataset.from_dict(rows, Features({"midi": Midi(), **COPY_FEATURES}))

    return make


def test_copies_are_twins_of_the_first_of_each_part(rows_of, cache_dir):
    parts = [rows_of(0, 1, 0), rows_of(2, 1, 0, 0)]
    pairs = {(0, 2), (0, 5), (0, 6), (2, 5), (5, 6), (1, 4)}
    for groups, found in ((None, pairs), ((0, 1), pairs - {(0, 2), (5, 6)}), ((3, 3), set())):
        twins = twins_of(parts, cache_dir, groups=groups)
        assert sorted(map(str, twins)) == sorted(str(Twin(*pair, 24, 1.0, 0)) for pair in found)
    unknown = [part.remove_columns("num_notes") for part in parts]
    assert twins_of(unknown, cache_dir) == []


def test_pieces_that_share_their_melody_are_twins_once(make_midi, cache_dir):
    midi = make_midi(3, notes=60)
    facts = inspect_midi(midi)
    row = {"midi": {"bytes": midi, "path": None}, **{name: getattr(facts, name) for name in COPY_FEATURES}}
    rows = Dataset.from_list([row] * 2, Features({"midi": Midi(), **COPY_FEATURES}))
    (twin,) = twins_of([rows], cache_dir)
    assert (twin.first, twin.second) == (0, 1)


def test_the_column_of_melodies_is_known_by_its_type(rows_of):
    rows = rows_of(0, 1).add_column(MELODY, ["a", "b"])
    assert rows.features[MELODY] == Value("string")
    assert [each["pitch"] for each in melodies_of(rows)[MELODY]] == [b"", b""]


@pytest.mark.parametrize(
    "kept",
    [
        [[0, 999, 3, 1.0, 0]],
        [[1, 0, 3, 1.0, 0]],
        [[-1, 1, 3, 1.0, 0]],
        [["a", 1, 2, 3, 4]],
        [[0.5, 1, 3, 1.0, 0]],
        [[0, 1, "3", 1.0, 0]],
        [[0, 1, 3, "1", 0]],
        [[0, 1, 3, float("nan"), 0]],
        [[0, 1]],
        [None],
        None,
        {},
        pytest.param("[" * 100_000, id="deep"),
    ],
    ids=str,
)
def test_what_is_kept_is_checked_and_made_anew(kept, make_midi, cache_dir, caplog):
    midi = [{"bytes": make_midi(seed, notes=48), "path": None} for seed in (0, 1, 0)]
    rows = Dataset.from_dict({"midi": midi}, Features({"midi": Midi()}))
    found = twins_of([rows], cache_dir)
    (path,) = (cache_dir / "twins").iterdir()
    whole = path.read_text()
    assert [(twin.first, twin.second) for twin in found] == [(0, 2)]
    path.write_text(kept if isinstance(kept, str) else json.dumps(kept))
    with caplog.at_level(logging.WARNING):
        assert twins_of([rows], cache_dir) == found
    assert path.read_text() == whole and "The cache is damaged, and made anew" in caplog.text


def test_a_file_in_place_of_the_folder_is_told(rows_of, cache_dir, caplog):
    cache_dir.mkdir()
    (cache_dir / "twins").write_text("mine")
    assert twins_of([rows_of(0, 0)], cache_dir) == [Twin(0, 1, 24, 1.0, 0)]
    assert [record.getMessage() for record in caplog.records] == [
        "The twins that were found are not kept, and will be looked for again: "
        f"'{cache_dir / 'twins'}' is a file, and no folder."
    ]


def test_a_damaged_row_of_our_own_columns_stops_nothing(midi_folder, tmp_path, cache_dir):
    how = {"cache_dir": cache_dir, "split_shares": (0.6, 0.2, 0.2)}
    whole = load_corpus(midi_folder, **how)
    rows = [row for each in whole.cast_column("midi", Midi(decode=False)).values() for row in each]
    rows[3]["midi"]["bytes"] = b"MThd garbage"
    Dataset.from_list(rows, whole["train"].features).save_to_disk(tmp_path / "saved")
    corpus = load_corpus(tmp_path / "saved", **how)
    hashes = {split: each["content_hash"][:] for split, each in corpus.items()}
    assert sum(map(len, hashes.values())) == len(rows)
    stream = load_corpus(tmp_path / "saved", streaming=True, **how).cast_column("midi", Midi(decode=False))
    assert {split: [row["content_hash"] for row in each] for split, each in stream.items()} == hashes
