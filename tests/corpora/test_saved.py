import hashlib
import os

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import symusic
from datasets import Dataset, DatasetDict, Features, Image, Value

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.corpora import saved as saved_module
from neuromusic_hf.corpora.builder import FACT_FEATURES
from neuromusic_hf.music import Midi, SanityLimits

SHARES = (0.6, 0.2, 0.2)
EVEN = (0.1, 0.45, 0.45)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.fixture
def plain_rows(make_midi):
    """What someone else may have saved: MIDI bytes and a column of their own, and two broken rows."""
    midi = [{"bytes": make_midi(seed), "path": f"{seed}.mid"} for seed in range(40)]
    midi += [{"bytes": b"text", "path": "text.mid"}, {"bytes": None, "path": "gone.mid"}]
    return {"song": midi, "mood": ["sad"] * len(midi)}


def test_that_a_saved_corpus_is_read_in_part_is_refused(plain_rows, tmp_path):
    Dataset.from_dict(plain_rows).to_parquet(tmp_path / "songs.parquet")
    with pytest.raises(ValueError, match="max_pieces=10 goes with MIDI files, .*songs.parquet' is a saved corpus"):
        load_corpus(tmp_path / "songs.parquet", max_pieces=10)


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


@pytest.mark.parametrize("streaming", [False, True])
def test_a_column_melody_of_the_user_is_kept(midi_folder, tmp_path, cache_dir, streaming):
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    rows = datasets.concatenate_datasets(list(corpus.values()))
    rows = rows.add_column("melody", [f"tune of {content_hash}" for content_hash in rows["content_hash"]])
    rows.to_parquet(tmp_path / "songs.parquet")
    again = load_corpus(tmp_path / "songs.parquet", cache_dir=cache_dir, split_shares=SHARES, streaming=streaming)
    kept = [row for split in again.values() for row in split.remove_columns("midi")]
    assert len(kept) == 60 and all(row["melody"] == f"tune of {row['content_hash']}" for row in kept)
    assert all("melody_of_neuromusic" not in row for row in kept)


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


@pytest.mark.parametrize("streaming", [False, True])
def test_a_struct_of_other_types_is_no_midi(tmp_path, cache_dir, streaming):
    for number, midi in enumerate(
        (
            {"bytes": [1, 2], "path": "a"},
            {"bytes": b"", "path": 3},
            {"bytes": "", "path": ""},
            [1, 2],
            {"path": "a"},
            "a",
        )
    ):
        Dataset.from_dict({"song": [midi]}).to_parquet(tmp_path / f"{number}.parquet")
        with pytest.raises(ValueError, match=r"found none among its columns \['song'\]"):
            load_corpus(tmp_path / f"{number}.parquet", cache_dir=cache_dir, streaming=streaming)


TYPES = {
    "binary": (pa.binary(), bytes),
    "large_binary": (pa.large_binary(), bytes),
    "binary_view": (pa.binary_view(), bytes),
    "list of uint8": (pa.list_(pa.uint8()), list),
    "bytes alone": (pa.struct({"bytes": pa.binary()}), lambda data: {"bytes": data}),
    "more fields": (
        pa.struct({"path": pa.large_string(), "bytes": pa.large_binary(), "name": pa.string()}),
        lambda data: {"bytes": data, "path": "a.mid", "name": "A"},
    ),
}


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", TYPES)
def test_bytes_of_any_type_are_a_midi_column(tmp_path, cache_dir, make_midi, kind, streaming, caplog):
    stored, wrap = TYPES[kind]
    files = [make_midi(seed) for seed in range(30)]
    column = pa.array([*map(wrap, files), wrap(b"text"), None], stored)
    pq.write_table(pa.table({"song": column, "n": range(32)}), tmp_path / "songs.parquet")
    path = tmp_path / "songs.parquet"
    corpus = load_corpus(path, cache_dir=cache_dir, split_shares=EVEN, streaming=streaming)
    rows = [row for split in corpus.cast_column("midi", Midi(decode=False)).values() for row in split]
    assert {row["n"]: row["midi"]["bytes"] for row in rows} == dict(enumerate(files))
    assert ("and not name." in caplog.text) == (kind == "more fields")
    if not streaming:
        assert corpus.quarantine.refused == {"not_midi": 1, "missing": 1}


def test_of_several_columns_of_bytes_the_one_that_begins_as_midi_is_taken(tmp_path, cache_dir, make_midi):
    files, other = [make_midi(seed) for seed in range(30)], [b"\x89PNG"] * 30
    path, options = tmp_path / "songs.parquet", {"cache_dir": cache_dir, "split_shares": EVEN}
    pq.write_table(pa.table({"cover": other, "song": [None, *files[1:]], "midi": ["a.mid"] * 30}), path)
    corpus = load_corpus(path, **options)
    assert sum(corpus.num_rows.values()) == 29 and corpus["train"].features["midi"] == Midi()
    assert set(corpus["train"]["midi_of_source"]) == {"a.mid"}
    pq.write_table(pa.table({"song": files, "again": files[::-1]}), path)
    with pytest.raises(ValueError, match=r"midi_column=.*found \['song', 'again'\]"):
        load_corpus(path, **options)
    for column in ("song", "again"):
        assert sum(load_corpus(path, midi_column=column, **options).num_rows.values()) == 30
    with pytest.raises(ValueError, match="midi_column='sogn'"):
        load_corpus(path, midi_column="sogn", **options)


@pytest.mark.parametrize("form", ["parquet", "parquet folder", "disk"])
def test_a_saved_corpus_that_was_replaced_by_one_of_the_same_dates_is_read_anew(tmp_path, cache_dir, make_midi, form):
    path, found = tmp_path / ("songs.parquet" if form == "parquet" else "songs"), []
    for first in (0, 100):
        rows = Dataset.from_dict({"midi": [make_midi(first + seed) for seed in range(30)]})
        if form == "disk":
            rows.save_to_disk(path)
        else:
            path.mkdir(exist_ok=True) if form == "parquet folder" else None
            rows.to_parquet(path / "train.parquet" if form == "parquet folder" else path)
        for file in (path, *path.rglob("*")):
            os.utime(file, (1, 1))
        corpus = load_corpus(path, cache_dir=cache_dir, split_shares=EVEN)
        assert (
            load_corpus(path, cache_dir=cache_dir, split_shares=EVEN)["train"]._fingerprint
            == corpus["train"]._fingerprint
        )
        found.append((set(corpus["train"]["content_hash"]), corpus["train"]._fingerprint))
    assert not found[0][0] & found[1][0] and found[0][1] != found[1][1]


def test_what_save_to_disk_wrote_takes_no_options_of_the_hub(tmp_path, make_midi):
    Dataset.from_dict({"midi": [make_midi(1)]}).save_to_disk(tmp_path / "saved")
    for option in ("revision", "token", "name"):
        with pytest.raises(ValueError, match="leave (it )?out"):
            load_corpus(tmp_path / "saved", **{option: "v2"})


def test_mapped_corpora_keep_the_feature_with_a_cast(midi_folder, cache_dir):
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    for _ in range(2):  # the second is answered from the cache of datasets
        mapped = corpus["train"].map(lambda row: {"more": row["num_notes"] + 1}).cast_column("midi", Midi())
        assert isinstance(mapped[0]["midi"], symusic.core.ScoreTick) and mapped[0]["more"] == 25


@pytest.fixture
def own_file(tmp_path, make_midi):
    """A sound MIDI file of ours that rows from outside point at; whoever opens it gets music."""
    path = tmp_path / "secret" / "ours.mid"
    path.parent.mkdir()
    path.write_bytes(make_midi(900))
    return path


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("facts", [False, True])
def test_rows_open_nothing_but_their_own_bytes(tmp_path, cache_dir, own_file, make_midi, streaming, facts, caplog):
    strangers = [f"{own_file}", f"file://{own_file}", "https://127.0.0.1:9/a.mid", "hf://datasets/a/b/c.mid", None]
    midi = [{"bytes": None, "path": path} for path in strangers] + [None]
    own = [{"bytes": make_midi(seed), "path": f"{own_file}"} for seed in range(60)]
    rows = Dataset.from_dict({"midi": own + midi})
    if facts:  # rows that claim to be inspected already
        hashes = [hashlib.md5(bytes([index])).hexdigest() for index in range(len(rows))]
        claims = {"duration": 1.0, "num_notes": 24, "instruments": ["Piano"]}
        claims = {name: [value] * len(rows) for name, value in claims.items()} | {"content_hash": hashes}
        for name, column in claims.items():
            rows = rows.add_column(name, column, feature=FACT_FEATURES[name])
    rows.to_parquet(tmp_path / "rows.parquet")
    corpus = load_corpus(tmp_path / "rows.parquet", cache_dir=cache_dir, split_shares=SHARES, streaming=streaming)
    loaded = [row for split in corpus.values() for row in split]
    assert len(loaded) == len(rows) - 6 and all(row["midi"].note_num() == 24 for row in loaded)
    if streaming:
        assert sum("refused" in record.getMessage() for record in caplog.records) == 6
    else:
        assert corpus.quarantine.refused == {"missing": 6}
        assert all("not opened" in file["detail"] for file in corpus.quarantine.files)


def test_a_fact_that_is_none_has_the_rows_inspected_again(midi_folder, tmp_path, cache_dir):
    """Facts that are missing, of another type, or no hash."""
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    for column, value in (("content_hash", "zz"), ("content_hash", None), ("num_notes", None), ("duration", "1 s")):
        rows = corpus["train"].to_pandas()
        rows[column] = [value, *[str(old) if isinstance(value, str) else old for old in rows[column][1:]]]
        path = tmp_path / f"{column} {value}.parquet"
        rows.to_parquet(path)
        again = load_corpus(path, cache_dir=cache_dir, split_shares=EVEN)
        assert sum(again.num_rows.values()) == corpus.num_rows["train"]
        hashes = {content_hash for split in again.values() for content_hash in split["content_hash"]}
        assert hashes == set(corpus["train"]["content_hash"])
        assert {row["num_notes"] for split in again.values() for row in split} == {24}


@pytest.mark.parametrize("streaming", [False, True])
def test_other_columns_open_nothing_either(plain_rows, tmp_path, cache_dir, streaming):
    images = [{"bytes": None, "path": f"{tmp_path / 'nowhere.png'}"}] * len(plain_rows["song"])
    stored = {"bytes": Value("binary"), "path": Value("string")}
    rows = Dataset.from_dict({**plain_rows, "cover": images}).data.table
    decoded = Features({"song": stored, "mood": Value("string"), "cover": Image()})
    path = tmp_path / "songs.parquet"
    pq.write_table(rows.cast(decoded.arrow_schema), path)
    corpus = load_corpus(path, cache_dir=cache_dir, split_shares=SHARES, streaming=streaming)
    assert next(iter(corpus["train"]))["cover"] == images[0]
