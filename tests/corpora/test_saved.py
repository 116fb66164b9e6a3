import datasets
import pytest
import symusic
from datasets import Dataset, DatasetDict

from neuromusic_hf.corpora import Midi, SanityLimits, load_corpus
from neuromusic_hf.corpora import saved as saved_module

SHARES = (0.6, 0.2, 0.2)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.fixture
def plain_rows(make_midi):
    """What someone else may have saved: MIDI bytes and a column of their own, and two broken rows."""
    midi = [{"bytes": make_midi(seed), "path": f"{seed}.mid"} for seed in range(40)]
    midi += [{"bytes": b"text", "path": "text.mid"}, {"bytes": None, "path": "gone.mid"}]
    return {"song": midi, "mood": ["sad"] * len(midi)}


@pytest.mark.parametrize("streaming", [False, True])
def test_a_parquet_file_with_a_midi_column_of_any_name_becomes_a_corpus(plain_rows, tmp_path, cache_dir, streaming):
    Dataset.from_dict(plain_rows).to_parquet(tmp_path / "songs.parquet")
    path = str(tmp_path / "songs.parquet")
    corpus = load_corpus(path, cache_dir=cache_dir, split_shares=SHARES, streaming=streaming)
    rows = [row for split in corpus.values() for row in split]
    assert len(rows) == 40
    assert {row["mood"] for row in rows} == {"sad"} and {row["num_notes"] for row in rows} == {24}
    assert isinstance(rows[0]["midi"], symusic.core.ScoreTick)
    if not streaming:
        refused = {file["path"]: file["reason"] for file in corpus.quarantine.files}
        assert refused == {"text.mid": "not_midi", "gone.mid": "missing"}


@pytest.mark.parametrize("form", ["parquet folder", "disk"])
def test_a_saved_corpus_comes_back_with_its_splits_and_is_not_parsed_again(
    midi_folder, tmp_path, cache_dir, form, monkeypatch
):
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    saved = tmp_path / "saved"
    if form == "disk":
        corpus.save_to_disk(saved)
    else:
        for name, rows in corpus.items():
            saved.mkdir(exist_ok=True)
            rows.to_parquet(saved / f"{name}-00000-of-00001.parquet")
    monkeypatch.setattr(saved_module, "inspect_row", None)
    again = load_corpus(saved, cache_dir=cache_dir)
    assert again.num_rows == corpus.num_rows
    for name, rows in corpus.items():
        assert again[name].features == rows.features
        assert again[name]["content_hash"] == rows["content_hash"]
    assert isinstance(again["train"][0]["midi"], symusic.core.ScoreTick)


def test_given_limits_inspect_a_saved_corpus_again(midi_folder, tmp_path, cache_dir, make_midi):
    (midi_folder / "long.mid").write_bytes(make_midi(5000, notes=100))
    load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES).save_to_disk(tmp_path / "saved")
    again = load_corpus(tmp_path / "saved", cache_dir=cache_dir, limits=SanityLimits(max_notes=50))
    assert again.quarantine.refused == {"too_many_notes": 1} and again.quarantine.accepted == 60


def test_a_missing_validation_split_is_carved_out_of_train(midi_folder, tmp_path, cache_dir):
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    del corpus["validation"]
    corpus.save_to_disk(tmp_path / "saved")
    again = load_corpus(tmp_path / "saved", cache_dir=cache_dir, split_shares=SHARES)
    assert again["test"]["content_hash"] == corpus["test"]["content_hash"]
    carved = set(again["train"]["content_hash"]) | set(again["validation"]["content_hash"])
    assert carved == set(corpus["train"]["content_hash"]) and len(again["validation"]) > 0


def test_other_names_of_validation_are_understood_and_foreign_splits_are_not(midi_folder, tmp_path, cache_dir):
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    dev = DatasetDict(train=corpus["train"], dev=corpus["validation"], test=corpus["test"])
    dev.save_to_disk(tmp_path / "dev")
    assert load_corpus(tmp_path / "dev", cache_dir=cache_dir).num_rows == corpus.num_rows
    DatasetDict(train=corpus["train"], other=corpus["test"]).save_to_disk(tmp_path / "other")
    with pytest.raises(ValueError, match="split 'other'"):
        load_corpus(tmp_path / "other", cache_dir=cache_dir)


def test_a_dataset_without_midi_says_what_it_has(tmp_path, cache_dir):
    Dataset.from_dict({"text": ["a"]}).to_parquet(tmp_path / "text.parquet")
    with pytest.raises(ValueError, match=r"found none among its columns \['text'\]"):
        load_corpus(tmp_path / "text.parquet", cache_dir=cache_dir)


def test_a_hub_dataset_is_asked_for_by_its_id(plain_rows, cache_dir, monkeypatch):
    asked = {}

    def fake_load_dataset(path, **kwargs):
        asked.update(kwargs, path=path)
        return DatasetDict(train=Dataset.from_dict(plain_rows))

    monkeypatch.setattr(datasets, "load_dataset", fake_load_dataset)
    corpus = load_corpus("someone/songs", cache_dir=cache_dir, split_shares=SHARES, revision="v2")
    assert asked["path"] == "someone/songs" and asked["revision"] == "v2"
    assert sum(corpus.num_rows.values()) == 40


def test_a_hub_dataset_that_does_not_exist_says_so(cache_dir, monkeypatch):
    def not_found(path, **kwargs):
        raise datasets.exceptions.DatasetNotFoundError(f"Dataset '{path}' doesn't exist on the Hub.")

    monkeypatch.setattr(datasets, "load_dataset", not_found)
    with pytest.raises(ValueError, match="no local path.*Check the spelling"):
        load_corpus("someone/sogns", cache_dir=cache_dir)


def test_mapped_corpora_keep_the_feature_with_a_cast(midi_folder, cache_dir):
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    for _ in range(2):  # the second is answered from the cache of datasets
        mapped = corpus["train"].map(lambda row: {"more": row["num_notes"] + 1}).cast_column("midi", Midi())
        assert isinstance(mapped[0]["midi"], symusic.core.ScoreTick) and mapped[0]["more"] == 25
