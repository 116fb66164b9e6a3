"""Damaged caches are made anew, those that cannot be written say so. Nothing here asserts how datasets names files."""

import errno
import logging
import os
import shutil

import datasets
import pytest
from datasets import Dataset, Value

from neuromusic_hf import MidiProcessor
from neuromusic_hf.corpora import FolderCorpus, MaestroCorpus, load_corpus
from neuromusic_hf.corpora import maestro as maestro_module
from neuromusic_hf.corpora.cache import CacheError
from neuromusic_hf.corpora.download import fetch
from neuromusic_hf.music import Midi
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.tokenization.blocks import make_blocks

SHARES = (0.6, 0.2, 0.2)
DAMAGES = {
    "half": lambda data: data[: len(data) // 2],
    "one byte short": lambda data: data[:-1],
    "the end short": lambda data: data[:-8],
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "zeros at the end": lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    "something else": lambda data: b"[1, 2]",
    "gone": None,
}


def damage(path, name):
    if DAMAGES[name] is None:
        path.unlink()
    else:
        path.write_bytes(DAMAGES[name](path.read_bytes()))


def contents(corpus):
    return {name: rows["content_hash"][:] for name, rows in corpus.items()}


def cache_files(folder):
    found = [path for path in folder.rglob("*") if path.suffix == ".arrow" or path.name == "dataset_info.json"]
    assert found
    return found


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_cache_of_a_corpus_is_made_anew_with_a_warning(midi_folder, cache_dir, name, caplog):
    how = {"cache_dir": cache_dir, "split_shares": SHARES, "num_proc": 2 if name == "gone" else 1}
    expected = contents(load_corpus(midi_folder, **how))
    for number in range(len(cache_files(cache_dir))):
        path = cache_files(cache_dir)[number]
        damage(path, name)
        caplog.clear()
        again = load_corpus(midi_folder, **how)
        assert contents(again) == expected and again["train"][0]["midi"].note_num() == 24
        told = [record.getMessage() for record in caplog.records if "damaged" in record.getMessage()]
        if (path.suffix, name) != (".json", "gone"):  # what is not there is no damage
            assert len(told) == 1 and str(path.parent) in told[0]


@pytest.mark.parametrize("name", ["half", "the end short", "zeros", "empty"])
def test_a_damaged_cache_of_tokens_is_made_anew(midi_folder, cache_dir, name, caplog):
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    processor = MidiProcessor.from_tokenization("TSD")
    before = set(cache_files(cache_dir))
    expected = tokenize_corpus(corpus, processor)["train"]["input_ids"][:]
    (*_, path) = sorted(set(cache_files(cache_dir)) - before, key=lambda path: path.stat().st_size)
    damage(path, name)
    assert tokenize_corpus(corpus, processor)["train"]["input_ids"][:] == expected
    assert any("damaged" in record.getMessage() and str(path) in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("name", ["half", "zeros at the end", "gone"])
def test_a_damaged_cache_of_blocks_is_made_anew(tmp_path, monkeypatch, name, caplog):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    rows = {"input_ids": [list(range(50))] * 20, "num_notes": [10] * 20}
    tokens = Dataset.from_dict(rows)
    expected = make_blocks(tokens, 16)[:]["input_ids"]
    for path in cache_files(tmp_path):
        damage(path, name)
        again = make_blocks(tokens, 16)[:]["input_ids"]
        assert all((one == other).all() for one, other in zip(expected, again, strict=True))
    assert any("damaged" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_of_a_saved_corpus_is_named(midi_folder, tmp_path, cache_dir, name):
    """Parquet and save_to_disk of the user's own, and the cache of datasets between."""
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    corpus.save_to_disk(tmp_path / "whole")
    for path in (tmp_path / "whole").rglob("*.*"):
        shutil.copytree(tmp_path / "whole", tmp_path / "disk", dirs_exist_ok=True)
        damaged = tmp_path / "disk" / path.relative_to(tmp_path / "whole")
        damage(damaged, name)
        if damaged.name == "dataset_dict.json" and name == "gone":
            continue  # then it is no folder of save_to_disk
        with pytest.raises(ValueError, match=f"{tmp_path / 'disk'}.*again") as caught:
            load_corpus(tmp_path / "disk", cache_dir=cache_dir)
        assert damaged.name in str(caught.value), str(caught.value)
    if name == "gone":
        return
    path = tmp_path / "songs.parquet"
    corpus["train"].to_parquet(path)
    whole = path.read_bytes()
    for streaming in (False, True):
        damage(path, name)
        with pytest.raises(ValueError, match=f"{path}.*again"):
            load_corpus(path, cache_dir=cache_dir, streaming=streaming)
        path.write_bytes(whole)


@pytest.mark.parametrize("name", [name for name in DAMAGES if name != "gone"])
def test_a_damaged_cache_of_a_saved_corpus_is_made_anew(midi_folder, tmp_path, cache_dir, name):
    rows = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)["train"]
    path, own_cache = tmp_path / "songs.parquet", tmp_path / "own cache"
    rows.to_parquet(path)
    corpus = load_corpus(path, cache_dir=own_cache, split_shares=(0.1, 0.45, 0.45))
    for damaged in cache_files(own_cache):
        if not damaged.exists():  # made anew with what it was made of, when that is needed
            continue
        damage(damaged, name)
        again = load_corpus(path, cache_dir=own_cache, split_shares=(0.1, 0.45, 0.45))
        assert again["train"]["content_hash"] == corpus["train"]["content_hash"]


@pytest.fixture
def full_disk(monkeypatch):
    """Every Arrow file that datasets writes from now on, in this process and those it forks."""

    write_table = datasets.arrow_writer.ArrowWriter.write_table

    def no_space(writer, *args, **kwargs):
        if writer._path is None:
            return write_table(writer, *args, **kwargs)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(datasets.arrow_writer.ArrowWriter, "write_table", no_space)


@pytest.mark.parametrize("num_proc", [1, 2])
def test_a_disk_that_is_full_is_told_with_the_folder_and_what_to_do(midi_folder, tmp_path, full_disk, num_proc):
    cache = tmp_path / "cache"
    with pytest.raises(Exception, match="No space left on device.*HF_HOME") as caught:
        load_corpus(midi_folder, cache_dir=cache, split_shares=SHARES, num_proc=num_proc)
    assert str(cache) in str(caught.value)
    assert not list(cache.rglob("*.arrow")) and not list(cache.rglob("dataset_info.json"))


@pytest.mark.parametrize("num_proc", [1, 2])
def test_a_disk_that_is_full_of_tokens_is_told(midi_folder, cache_dir, request, num_proc):
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    processor = MidiProcessor.from_tokenization("TSD")
    request.getfixturevalue("full_disk")
    with pytest.raises(CacheError, match="No space left on device.*HF_HOME"):
        tokenize_corpus(corpus, processor, num_proc=num_proc)
    with pytest.raises(Exception, match="No space left on device.*HF_HOME"):
        make_blocks(Dataset.from_dict({"input_ids": [[1, 2]], "num_notes": [1]}), 1)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_cache_that_is_read_only_is_told(midi_folder, cache_dir, make_read_only, number):
    make_read_only(cache_dir, number)
    with pytest.raises(CacheError, match=f"{cache_dir}.*{os.strerror(number)}.*HF_HOME"):
        load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)


def test_what_a_read_only_cache_holds_is_read(midi_folder, tmp_path, make_read_only, monkeypatch, caplog):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    processor = MidiProcessor.from_tokenization("TSD")

    def blocks():
        corpus = load_corpus(midi_folder, split_shares=SHARES)
        return make_blocks(tokenize_corpus(corpus, processor)["train"], 64)[:]["input_ids"]

    expected = blocks()
    make_read_only(tmp_path / "cache")
    assert all((one == other).all() for one, other in zip(expected, blocks(), strict=True))
    corpus = load_corpus(midi_folder, split_shares=SHARES)
    with pytest.raises(CacheError, match="Read-only file system"):
        tokenize_corpus(corpus, MidiProcessor.from_tokenization("REMI"))
    (path,) = (tmp_path / "cache").rglob("neuromusic*.arrow")
    path.rename(path.with_suffix(".gone"))
    with pytest.raises(CacheError, match="Read-only file system"):
        load_corpus(midi_folder, split_shares=SHARES)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_cache_that_is_no_folder_is_told(midi_folder, tmp_path, place):
    (tmp_path / "file").write_text("text")
    with pytest.raises(CacheError, match=f"'{tmp_path / place}' cannot be written"):
        load_corpus(midi_folder, cache_dir=tmp_path / place, split_shares=SHARES)


def test_a_report_that_cannot_be_written_is_an_error_only_where_it_was_asked_for(
    midi_folder, tmp_path, cache_dir, caplog
):
    cache_dir.mkdir()
    (cache_dir / "quarantine").write_text("in the way")
    with caplog.at_level(logging.INFO):
        corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    assert corpus.quarantine.accepted == 60
    assert any("Report: not written" in record.getMessage() for record in caplog.records)
    with pytest.raises(OSError, match="quarantine_path.*in the way"):
        place = cache_dir / "quarantine" / "in the way.json"
        load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES, quarantine_path=place)


def test_a_download_that_finds_no_space_is_not_tried_again(tmp_path, monkeypatch):
    tries = []

    def no_space(url, part, timeout):
        tries.append(url)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("neuromusic_hf.corpora.download._receive", no_space)
    monkeypatch.setattr(maestro_module, "fetch", fetch)
    with pytest.raises(CacheError, match="No space left on device.*HF_HOME"):
        load_corpus(MaestroCorpus, cache_dir=tmp_path)
    assert len(tries) == 1


def test_a_cache_of_the_hub_that_is_full_is_told_by_its_own_name(tmp_path, monkeypatch):
    def no_space(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("huggingface_hub.hf_hub_download", no_space)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(CacheError, match=f"'{tmp_path / 'hub'}' cannot be written: No space left"):
        load_corpus("lamd", cache_dir=tmp_path / "cache")


class WrongYear(FolderCorpus):
    METADATA = {"year": Value("int32"), "title": Value("string")}
    year = "then"

    def describe(self, name):
        return None, {"year": self.year if name.endswith("07.MIDI") else 1999, "title": "T\udce9"}


class HugeYear(WrongYear):
    year = 2**40


@pytest.mark.parametrize("builder", [WrongYear, HugeYear])
@pytest.mark.parametrize("num_proc", [1, 2])
def test_metadata_of_another_type_names_piece_column_and_value(midi_folder, cache_dir, builder, num_proc):
    told = f"piece 07.MIDI.*{builder.__name__}.METADATA column 'year' is '?{builder.year}"
    with pytest.raises(Exception, match=told):
        load_corpus(builder, midi_folder, cache_dir=cache_dir, num_proc=num_proc)


class NoBytes(FolderCorpus):
    def read_pieces(self, pieces):
        for piece in super().read_pieces(pieces):
            piece.data = "MThd"
            yield piece


def test_data_of_another_type_names_the_piece(midi_folder, cache_dir):
    with pytest.raises(Exception, match="piece 00.mid': its data is a str, not bytes"):
        load_corpus(NoBytes, midi_folder, cache_dir=cache_dir)


def test_text_that_is_no_utf8_is_stored_readable(midi_folder, cache_dir, monkeypatch):
    monkeypatch.setattr(WrongYear, "year", 1999)
    corpus = load_corpus(WrongYear, midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    assert set(corpus["train"]["title"]) == {"T?"}


def test_names_that_would_break_a_line_are_stored_in_one(midi_folder, cache_dir, make_midi):
    (midi_folder / "a\nWARNING \x1b[31m.mid").write_bytes(make_midi(800))
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES).cast_column("midi", Midi(decode=False))
    paths = [row["midi"]["path"] for rows in corpus.values() for row in rows]
    assert "a\ufffdWARNING \ufffd[31m.mid" in paths
