"""Names of corpora and paths, as people write them."""

import os

import pytest
from datasets import Dataset

from neuromusic_hf import load_corpus
from neuromusic_hf.corpora import FolderCorpus, QuarantineReport
from neuromusic_hf.corpora.names import find_corpora, split_names
from neuromusic_hf.music import Midi

SHARES = (0.6, 0.2, 0.2)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder that is the current one, and the user's home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("bach", ["bach"]),
        ("bach+folk", ["bach", "folk"]),
        ("bach + folk", ["bach", "folk"]),
        ("my+midi", ["my+midi"]),
        ("bach+my+midi", ["bach", "my+midi"]),
        ("my+midi+bach", ["my+midi", "bach"]),
        ("my+midi+my+midi.zip", ["my+midi", "my+midi.zip"]),
        ("my + my+midi", ["my", "my+midi"]),
        ("~/my+midi+bach", ["~/my+midi", "bach"]),
        ("my+mdi", ["my", "mdi"]),
        ("bach+", ["bach", ""]),
        ("a++b", ["a++b"]),
        ("c++", ["c", "", ""]),
    ],
)
def test_a_path_that_exists_is_one_name_and_the_longest_wins(here, text, names):
    for name in ("my", "midi", "my+midi", "a++b"):
        (here / name).mkdir()
    (here / "my+midi.zip").touch()
    assert split_names(text) == names


def test_a_folder_with_a_plus_in_its_name_is_read_alone_and_with_others(here, midi_folder, cache_dir):
    os.rename(midi_folder, here / "my+midi")
    (here / "more").mkdir()
    next((here / "my+midi").rglob("piece 00.mid")).rename(here / "more" / "one.mid")
    assert load_corpus("my+midi", cache_dir=cache_dir, split_shares=SHARES).quarantine.accepted == 59
    for names in ("more+my+midi", "my+midi+more", ["my+midi", "more"]):
        corpus = load_corpus(names, cache_dir=cache_dir, split_shares=SHARES)
        assert sum(corpus.num_rows.values()) == 60


@pytest.mark.parametrize("name", ["alice/../songs", "alice/so ngs", "alice/-songs", "alice/songs.git", "@alice/songs"])
def test_what_is_no_id_of_the_hub_is_no_corpus(name):
    with pytest.raises(ValueError, match="is no corpus"):
        find_corpora(name)


def test_names_in_a_list_are_not_split(here):
    with pytest.raises(ValueError, match=r"'bach\+folk' is no corpus"):
        load_corpus(["bach+folk"])


def test_a_tilde_is_the_home_wherever_a_corpus_takes_a_path(here, midi_folder):
    os.rename(midi_folder, here / "songs")
    Dataset.from_dict({"midi": [path.read_bytes() for path in (here / "songs").rglob("*.mid")]}).to_parquet(
        "s.parquet"
    )
    options = {"cache_dir": "~/cache", "split_shares": SHARES, "quarantine_path": "~/reports/report.json"}
    expected = {"~/songs": 60, "~/s.parquet": 20, "~/songs+~/s.parquet": 60}
    for name, rows in expected.items():
        assert sum(load_corpus(name, **options).num_rows.values()) == rows
        assert QuarantineReport.load("~/reports/report.json").accepted == rows
    for source in (FolderCorpus, "lamd"):
        (here / "songs").rename(here / "MIDIs") if source == "lamd" else None
        place = "~/MIDIs" if source == "lamd" else "~/songs"
        assert sum(load_corpus(source, place, **options).num_rows.values()) == 60
    assert FolderCorpus("~/cache", data_dir="~/MIDIs").source == str(here / "MIDIs")
    song = next((here / "MIDIs").rglob("*.mid"))
    assert Midi().encode_example(f"~/{song.relative_to(here)}")["bytes"] == song.read_bytes()
    assert not (here / "~").exists()


def test_signs_of_patterns_in_the_name_of_a_parquet_file_are_no_pattern(here, make_midi, cache_dir):
    for name, seeds in {"a*": range(30), "abc": range(30, 60)}.items():
        Dataset.from_dict({"midi": [make_midi(seed) for seed in seeds]}).to_parquet(f"{name}.parquet")
    assert sum(load_corpus("a*.parquet", cache_dir=cache_dir, split_shares=SHARES).num_rows.values()) == 30
    (here / "[1]").mkdir()
    os.rename("abc.parquet", "[1]/abc.parquet")
    assert sum(load_corpus("[1]", cache_dir=cache_dir, split_shares=SHARES).num_rows.values()) == 30
