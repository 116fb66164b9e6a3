import importlib.util
import json
import logging
import os
import sys
import time
from pathlib import Path

import pytest
import symusic
from datasets import Value
from preloaded import run_code

from neuromusic_hf.corpora import FolderCorpus, MidiCorpusBuilder, Piece, QuarantineReport, load_corpus
from neuromusic_hf.corpora import builder as builder_module
from neuromusic_hf.music import Midi, RefusedFile, SanityLimits

SHARES = (0.6, 0.2, 0.2)
COLUMNS = ["midi", "duration", "num_notes", "instruments", "content_hash"]


def load(source, cache_dir, **kwargs):
    return load_corpus(source, cache_dir=cache_dir, split_shares=SHARES, **kwargs)


def rows_of(corpus):
    return {
        name: [(row["midi"]["path"], row["midi"]["bytes"], row["content_hash"]) for row in rows]
        for name, rows in corpus.cast_column("midi", Midi(decode=False)).items()
    }


@pytest.fixture
def parsed(monkeypatch):
    """Paths of the files that were parsed, in order."""
    paths = []
    inspect_row = builder_module.inspect_row

    def count(path, data, limits):
        paths.append(path)
        return inspect_row(path, data, limits)

    monkeypatch.setattr(builder_module, "inspect_row", count)
    return paths


def test_a_folder_becomes_three_splits(midi_folder, cache_dir):
    corpus = load(midi_folder, cache_dir)
    assert list(corpus) == ["train", "validation", "test"]
    assert sum(corpus.num_rows.values()) == 60
    assert corpus["train"].column_names == COLUMNS
    row = corpus["train"][0]
    assert isinstance(row["midi"], symusic.core.ScoreTick)
    assert row["num_notes"] == row["midi"].note_num() == 24
    assert row["duration"] == pytest.approx(12 * 0.5)
    assert row["instruments"] == ["Acoustic Grand Piano"]


def test_each_file_is_parsed_once_and_never_again_until_something_changes(midi_folder, cache_dir, parsed, make_midi):
    load(midi_folder, cache_dir)
    assert len(parsed) == len(set(parsed)) == 60
    load(midi_folder, cache_dir)
    load_corpus(midi_folder, cache_dir=cache_dir, split_shares=(0.5, 0.25, 0.25))
    assert len(parsed) == 60
    (midi_folder / "new.mid").write_bytes(make_midi(1000))
    assert sum(load(midi_folder, cache_dir).num_rows.values()) == 61
    assert len(parsed) == 121
    load(midi_folder, cache_dir, limits=SanityLimits(max_notes=1000))
    assert len(parsed) == 182


def test_an_archive_that_changes_is_read_again(make_zip, make_midi, cache_dir):
    pieces = [(f"{seed}.mid", make_midi(seed)) for seed in range(60)]
    assert sum(load(make_zip(pieces), cache_dir).num_rows.values()) == 60
    assert sum(load(make_zip(pieces[:50]), cache_dir).num_rows.values()) == 50


def test_a_file_that_changes_in_place_is_read_again(midi_folder, cache_dir, make_midi):
    path = next(midi_folder.rglob("piece 00.mid"))
    before = load(midi_folder, cache_dir)
    changed = make_midi(2000)
    assert len(changed) != path.stat().st_size or changed != path.read_bytes()
    path.write_bytes(changed)
    os.utime(path, (time.time() + 10, time.time() + 10))
    assert rows_of(before) != rows_of(load(midi_folder, cache_dir))


def test_the_same_music_under_many_names_falls_on_one_side(tmp_path, make_midi, cache_dir):
    variants = {
        "copy": {},
        "tpq": {"tpq": 960},
        "loud": {"velocity": 120},
        "slow": {"tempo": 50.0},
        "bow": {"program": 40},
    }
    for seed in range(40):
        for name, change in variants.items():
            (tmp_path / f"{name} {seed}.mid").write_bytes(make_midi(seed, **change))
    corpus = load(tmp_path, cache_dir)
    hashes = {name: set(rows["content_hash"]) for name, rows in corpus.items()}
    assert sum(corpus.num_rows.values()) == 200
    assert sum(len(found) for found in hashes.values()) == 40 == len(set.union(*hashes.values()))


def test_names_do_not_decide_the_split(midi_folder, tmp_path, cache_dir):
    before = {name: set(rows["content_hash"]) for name, rows in load(midi_folder, cache_dir).items()}
    for index, path in enumerate(sorted(midi_folder.rglob("piece*"))):
        path.rename(midi_folder / f"{997 * index % 60}.mid")
    after = {name: set(rows["content_hash"]) for name, rows in load(midi_folder, cache_dir).items()}
    assert before == after


def test_two_processes_give_what_one_gives(midi_folder, tmp_path):
    (midi_folder / "broken.mid").write_bytes(b"text")
    one = load(midi_folder, tmp_path / "one", num_proc=1)
    two = load(midi_folder, tmp_path / "two", num_proc=2)
    assert rows_of(one) == rows_of(two)
    assert one.quarantine == two.quarantine


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_streaming_gives_the_same_rows(kind, midi_folder, make_zip, make_tar, cache_dir, caplog):
    (midi_folder / "broken.mid").write_bytes(b"text")
    files = [(str(path.relative_to(midi_folder)), path.read_bytes()) for path in sorted(midi_folder.rglob("*.*"))]
    source = midi_folder if kind == "folder" else (make_zip if kind == "zip" else make_tar)(files)
    whole = load(source, cache_dir)
    stream = load(source, cache_dir, streaming=True)
    assert isinstance(next(iter(stream["test"]))["midi"], symusic.core.ScoreTick)
    assert rows_of(stream) == rows_of(whole)
    assert any("refused broken.mid (not_midi" in record.getMessage() for record in caplog.records)


def test_refused_and_ignored_files_are_named_in_the_report(midi_folder, cache_dir, make_midi, tmp_path, caplog):
    (midi_folder / "text.mid").write_bytes(b"Dear all,")
    (midi_folder / "empty.MID").write_bytes(b"")
    (midi_folder / "long.mid").write_bytes(make_midi(1, notes=300))
    (midi_folder / "notes.txt").write_text("hello")
    (midi_folder / "LICENSE").write_text("free")
    path = tmp_path / "reports" / "report.json"
    with caplog.at_level(logging.INFO):
        corpus = load(midi_folder, cache_dir, limits=SanityLimits(max_notes=200), quarantine_path=path)
    report = json.loads(path.read_text())
    assert report["accepted"] == 60 == sum(corpus.num_rows.values())
    assert report["refused"] == {"not_midi": 1, "empty_file": 1, "too_many_notes": 1}
    assert report["ignored"] == {".txt": 1, "(none)": 1}
    assert report["ignored_files"] == ["LICENSE", "notes.txt"]
    assert {file["path"]: file["reason"] for file in report["files"]} == {
        "text.mid": "not_midi",
        "empty.MID": "empty_file",
        "long.mid": "too_many_notes",
    }
    assert "300 notes, limit 200" in str(report["files"])
    assert QuarantineReport.load(path) == corpus.quarantine
    assert corpus.quarantine.num_files == 63
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "60 of 63 MIDI files accepted" in logged and "too_many_notes 1" in logged and str(path) in logged


def test_the_report_is_the_same_from_the_cache(midi_folder, cache_dir):
    (midi_folder / "text.mid").write_bytes(b"Dear all,")
    first = load(midi_folder, cache_dir)
    again = load(midi_folder, cache_dir)
    assert again.quarantine == first.quarantine and first.quarantine.refused == {"not_midi": 1}
    assert len(list((cache_dir / "quarantine").glob("*.json"))) == 1


@pytest.mark.parametrize("content", ["", "[]", '{"corpus": "a"}', '{"corpus": "a", "accepted": 1, "files": {}}'])
def test_a_report_that_is_none_is_named(tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(ValueError, match="report.json is no quarantine report"):
        QuarantineReport.load(tmp_path / "report.json")


def test_a_split_that_would_be_empty_is_an_error_that_says_so(tmp_path, make_midi, cache_dir):
    for seed in range(2):
        (tmp_path / f"{seed}.mid").write_bytes(make_midi(seed))
    with pytest.raises(ValueError, match=r"would be empty. There are 2 accepted pieces.*split_shares"):
        load_corpus(tmp_path, cache_dir=cache_dir)


@pytest.mark.parametrize("name", ["bahc", "./nowhere", "", 3])
def test_an_unknown_name_lists_the_choices(name):
    with pytest.raises(ValueError, match="bach, folk, monteverdi, maestro, lamd"):
        load_corpus(name)


def test_a_folder_without_midi_says_so(tmp_path, cache_dir):
    (tmp_path / "song.mp3").write_bytes(b"ID3")
    with pytest.raises(ValueError, match="no MIDI file"):
        load_corpus(tmp_path, cache_dir=cache_dir)


def test_data_dir_does_not_go_with_a_path(midi_folder):
    with pytest.raises(ValueError, match="data_dir"):
        load_corpus(midi_folder, data_dir=midi_folder)


class Scales(MidiCorpusBuilder):
    METADATA = {"key": Value("string")}

    def list_pieces(self):
        return list(range(40))

    def read_pieces(self, pieces):
        for start in pieces:
            score = symusic.Score(480)
            track = symusic.Track()
            for step in range(8 + start):
                track.notes.append(symusic.Note(step * 480, 480, 40 + step, 64))
            score.tracks.append(track)
            refused = RefusedFile("too_sad", "minor") if start == 7 else None
            split = "test" if start < 5 else None
            yield Piece(
                f"scale {start}", None if refused else score.dumps_midi(), refused, split, {"key": f"key {start}"}
            )


class ByFolder(FolderCorpus):
    METADATA = {"composer": Value("string")}

    def is_candidate(self, name):
        return name.endswith(".kar") and super().is_candidate(name)

    def describe(self, name):
        composer = name.split("/")[0]
        return {"composer 0": "test", "composer 1": "validation"}.get(composer, "train"), {"composer": composer}


def test_a_folder_layout_of_the_user_gives_splits_and_columns(midi_folder, cache_dir):
    corpus = load_corpus(ByFolder, midi_folder, cache_dir=cache_dir)
    assert corpus.num_rows == {"train": 10, "validation": 5, "test": 5}
    assert set(corpus["test"]["composer"]) == {"composer 0"}
    assert corpus.quarantine.ignored == {".mid": 20, ".midi": 20}


class WrongColumn(Scales):
    def read_pieces(self, pieces):
        yield Piece("one", b"", metadata={"kye": "c"})


def test_columns_of_the_user_have_other_names_than_ours(cache_dir):
    for name in ("midi", "duration", "official_split", "melody_of_neuromusic"):
        builder = type("Taken", (Scales,), {"METADATA": {"key": Value("string"), name: Value("string")}})
        with pytest.raises(ValueError, match=f"Taken.METADATA has columns of the names of ours: {name}. Rename"):
            load_corpus(builder, cache_dir=cache_dir)


def test_a_builder_of_the_user_needs_no_code_of_ours(cache_dir):
    corpus = load_corpus(Scales, cache_dir=cache_dir, split_shares=SHARES, num_proc=2)
    assert sum(corpus.num_rows.values()) == 39
    assert set(corpus["test"]["key"]) >= {f"key {start}" for start in range(5)}
    assert corpus.quarantine.files == [{"path": "scale 7", "reason": "too_sad", "detail": "minor"}]


def test_a_misspelt_metadata_column_is_an_error(cache_dir):
    with pytest.raises(Exception, match="generating the dataset") as caught:
        load_corpus(WrongColumn, cache_dir=cache_dir)
    assert "kye" in str(caught.value.__cause__)


def test_a_builder_of_the_user_reads_a_changed_data_dir_again(midi_folder, cache_dir, parsed):
    load_corpus(Scales, midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    load_corpus(Scales, midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    assert len(parsed) == 40
    (midi_folder / "new.csv").write_text("title")
    load_corpus(Scales, midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    assert len(parsed) == 80


def test_max_pieces_reads_only_the_first(cache_dir, parsed):
    for _ in range(2):  # the second time from the cache
        report = load_corpus(Scales, cache_dir=cache_dir, split_shares=SHARES, max_pieces=30).quarantine
        assert report.unread == 10 and report.summary.endswith("not read because of max_pieces: 10")
    assert len(parsed) == 30


def test_code_of_a_builder_that_changed_reads_anew(tmp_path):
    code = "from neuromusic_hf.corpora import MidiCorpusBuilder\nclass Mine(MidiCorpusBuilder):\n    order = {}\n"
    hashes = set()
    for number, where in enumerate(["file", "file", "session", "session"]):
        names = {"__name__": "a_session"}
        if where == "file":
            path = tmp_path / f"{number}.py"
            path.write_text(code.format(number))
            spec = importlib.util.spec_from_file_location(f"mine_{number}", path)
            module = importlib.util.module_from_spec(spec)
            sys.modules[f"mine_{number}"] = module
            spec.loader.exec_module(module)
            names = vars(module)
        else:
            exec(code.format(number), names)
        hashes.add(names["Mine"]._code_hash())
    assert len(hashes) == 4


def test_corpora_are_joined_split_by_split(midi_folder, cache_dir):
    joined = load([midi_folder, Scales], cache_dir)
    alone, scales = load(midi_folder, cache_dir), load(Scales, cache_dir)
    for name in joined:
        assert len(joined[name]) == len(alone[name]) + len(scales[name])
        assert isinstance(joined[name][0]["midi"], symusic.core.ScoreTick)
    assert joined.quarantine.accepted == 99
    assert [file["path"] for file in joined.quarantine.files] == ["Scales/scale 7"]
    stream = load([midi_folder, Scales], cache_dir, streaming=True)
    assert rows_of(stream) == rows_of(joined)


def test_a_corpus_named_twice_is_an_error(midi_folder):
    with pytest.raises(ValueError, match="twice"):
        load_corpus([midi_folder, midi_folder])


def test_builders_work_without_load_corpus(midi_folder, cache_dir):
    builder = FolderCorpus(str(cache_dir), data_dir=midi_folder)
    builder.download_and_prepare()
    assert len(builder.as_dataset(split="files")) == 60


def test_fingerprints_are_the_same_in_another_process(midi_folder, cache_dir, tmp_path):
    code = "import sys; from neuromusic_hf.corpora import load_corpus\n" + (
        "print(load_corpus(sys.argv[1], cache_dir=sys.argv[2], split_shares=(0.6, 0.2, 0.2))['train']._fingerprint)"
    )
    here = load(midi_folder, cache_dir)["train"]._fingerprint
    done = run_code(code, str(midi_folder), str(cache_dir), folder=tmp_path)
    assert done.stdout.split()[-1] == here, done.stderr


def test_file_names_that_are_no_utf8_are_kept_readable(tmp_path, make_midi, cache_dir):
    for seed in range(30):
        name = os.fsencode(tmp_path) + b"/caf\xe9 %d.mid" % seed
        try:
            with open(name, "wb") as file:
                file.write(make_midi(seed))
        except OSError:
            pytest.skip("this file system takes only UTF-8 names")
    corpus = load(tmp_path, cache_dir)
    assert corpus.cast_column("midi", Midi(decode=False))["train"][0]["midi"]["path"].startswith("caf\ufffd ")


def test_a_piece_that_an_earlier_corpus_has_is_left_out_and_named(midi_folder, tmp_path, cache_dir, make_midi, caplog):
    more = tmp_path / "more"
    more.mkdir()
    for seed in range(50, 70):  # the first ten are in the other folder, under other names
        (more / f"other {seed}.mid").write_bytes(make_midi(seed, velocity=99))
    options = {"cache_dir": cache_dir, "split_shares": (0.6, 0.2, 0.2)}
    corpus = load_corpus([midi_folder, more], **options)
    hashes = [content_hash for rows in corpus.values() for content_hash in rows["content_hash"]]
    assert len(hashes) == len(set(hashes)) == corpus.quarantine.accepted == 70
    assert corpus.quarantine.refused == {"in_earlier_corpus": 10}
    named = [Path(file["path"]).name for file in corpus.quarantine.files]
    assert named == [f"other {seed}.mid" for seed in range(50, 60)]
    assert load_corpus([more, midi_folder], **options).quarantine.refused == {"in_earlier_corpus": 10}
    load_corpus([more, midi_folder], streaming=True, **options)
    assert "come more than once" in caplog.text
