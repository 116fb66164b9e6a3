"""Where music comes from: told with what is made of it, and never a path of this machine."""

import pytest
from datasets import Dataset, DatasetDict

from neuromusic_hf.corpora import SPLIT_VERSION, MidiCorpusBuilder, load_corpus, provenance_of


class Fugues(MidiCorpusBuilder):
    LICENCE = "cc0-1.0"
    OFFICIAL_SPLITS = True


@pytest.mark.parametrize(
    ("name", "licence", "splits"),
    [
        ("bach", "other", SPLIT_VERSION),
        ("folk", "other", SPLIT_VERSION),
        ("maestro", "cc-by-nc-sa-4.0", "official"),
        ("lamd", "cc-by-nc-sa-4.0", SPLIT_VERSION),
        (Fugues, "cc0-1.0", "official"),
    ],
)
def test_builders_say_where_their_music_comes_from(name, licence, splits):
    (found,) = provenance_of(name)
    assert (found.name, found.licence, found.splits) == (getattr(name, "__name__", name), licence, splits)
    assert name is Fugues or (found.source.startswith("https://") and found.citation.startswith("@"))
    assert found.dataset is None or "/" in found.dataset


def test_of_a_path_only_its_name_is_told(midi_folder, tmp_path, cache_dir, monkeypatch):
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=(0.6, 0.2, 0.2))
    corpus.save_to_disk(tmp_path / "saved")
    (tmp_path / "shards").mkdir()
    for split, rows in corpus.items():
        rows.to_parquet(tmp_path / "shards" / f"{split}.parquet")
    Dataset.from_dict({"midi": [b""]}).to_parquet(tmp_path / "one.parquet")
    places = [midi_folder, tmp_path / "saved", tmp_path / "shards", tmp_path / "one.parquet", "bach"]
    told = provenance_of(places, split_shares=(0.6, 0.2, 0.2))
    splits = {each.name: each.splits for each in told}
    assert splits == {
        "midi folder": SPLIT_VERSION,
        "saved": "official",
        "shards": "official",
        "one.parquet": SPLIT_VERSION,
        "bach": SPLIT_VERSION,
    }
    assert str(tmp_path) not in repr(told) and corpus.provenance == told[:1]
    monkeypatch.chdir(midi_folder)
    monkeypatch.setenv("HOME", str(midi_folder.parent))
    names = {place: provenance_of(place)[0].name for place in (".", "../midi folder", "~/midi folder", "~")}
    assert names == dict.fromkeys(list(names)[:3], "midi folder") | {"~": "home"}


def test_it_tells_how_pieces_were_split_that_had_no_splits(midi_folder, tmp_path, cache_dir):
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_version="notes-hash-1")
    shares = {"lamd": (0.6, 0.2, 0.2), "maestro": None, midi_folder: (0.8, 0.1, 0.1)}
    for name, expected in shares.items():
        (told,) = provenance_of(name, split_version="notes-hash-1")
        assert told.split_shares == expected
        assert told.splits == ("official" if name == "maestro" else "notes-hash-1")
    assert corpus.provenance == [told]
    assert {told.split_shares for told in provenance_of(["lamd", midi_folder])} == {(0.8, 0.1, 0.1)}


@pytest.mark.parametrize("way", ["to_parquet", "save_to_disk"])
def test_a_corpus_that_lacks_a_split_is_split_by_us(way, midi_folder, tmp_path, cache_dir):
    whole = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=(0.6, 0.2, 0.2))
    lacking = DatasetDict({name: whole[name] for name in ("train", "test")})
    if way == "save_to_disk":
        lacking.save_to_disk(tmp_path / "saved")
    else:
        (tmp_path / "saved").mkdir()
        for name, rows in lacking.items():
            rows.to_parquet(tmp_path / "saved" / f"{name}.parquet")
    corpus = load_corpus(tmp_path / "saved", cache_dir=cache_dir)
    assert corpus.provenance == provenance_of(tmp_path / "saved")
    assert (corpus.provenance[0].splits, corpus.provenance[0].split_shares) == (SPLIT_VERSION, (0.8, 0.1, 0.1))
    DatasetDict(train=whole["train"]).save_to_disk(tmp_path / "one")
    assert provenance_of(tmp_path / "one")[0].splits == SPLIT_VERSION
