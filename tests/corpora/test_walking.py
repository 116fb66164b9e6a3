"""What lies in a folder is read once or named, and a change behind any name is seen."""

import bz2
import gzip
import os
import shutil
import time
from pathlib import Path

import pytest

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.corpora.sources import list_source, source_fingerprint
from neuromusic_hf.music import Midi

SHARES = (0.6, 0.2, 0.2)


def listed(folder):
    return {entry.name: entry.problem and entry.problem.reason for entry in list_source(folder)}


def stored(corpus):
    rows = corpus.cast_column("midi", Midi(decode=False))
    return {row["midi"]["path"]: row["midi"]["bytes"] for split in rows.values() for row in split}


@pytest.fixture
def outside(tmp_path, make_midi):
    """A folder that links lead to, with one file in a folder of its own."""
    folder = tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.mid").write_bytes(make_midi(1))
    (folder / "deep" / "b.mid").write_bytes(make_midi(2))
    return folder


@pytest.fixture
def corpus_folder(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    return folder


def test_links_to_folders_are_followed_also_through_other_links(corpus_folder, outside, tmp_path):
    (tmp_path / "first").symlink_to(outside)
    (corpus_folder / "linked").symlink_to(tmp_path / "first")
    assert listed(corpus_folder) == {"linked/a.mid": None, "linked/deep/b.mid": None}


def test_a_folder_comes_once_and_links_in_circles_are_named(corpus_folder, outside):
    (corpus_folder / "own").mkdir()
    (corpus_folder / "own" / "c.mid").write_bytes(b"")
    for name, target in {"again": "own", "inner": outside / "deep", "outer": outside, "self": ".", "up": ".."}.items():
        (corpus_folder / name).symlink_to(target)
    (outside / "back").symlink_to(corpus_folder)
    assert listed(corpus_folder) == {
        "own/c.mid": None,
        "again": "already_listed",
        "inner/b.mid": None,
        "outer/a.mid": None,
        "outer/deep": "already_listed",
        "outer/back": "already_listed",
        "self": "already_listed",
        "up": "already_listed",
    }


def test_links_to_nothing_are_named_whatever_they_are_called(corpus_folder, cache_dir, make_midi):
    for seed in range(60):
        (corpus_folder / f"{seed}.mid").write_bytes(make_midi(seed))
    (corpus_folder / "songs").symlink_to("nowhere")
    (corpus_folder / "song.mid").symlink_to("nowhere.mid")
    report = load_corpus(corpus_folder, cache_dir=cache_dir, split_shares=SHARES).quarantine
    assert {file["path"]: file["reason"] for file in report.files} == {"songs": "missing", "song.mid": "missing"}
    assert "60 of 62" in report.summary


def test_a_folder_of_nothing_but_links_is_a_corpus(corpus_folder, midi_folder, cache_dir):
    (corpus_folder / "linked").symlink_to(midi_folder)
    corpus = load_corpus(corpus_folder, cache_dir=cache_dir, split_shares=SHARES)
    assert sum(corpus.num_rows.values()) == 60 and corpus.quarantine.num_files == 60


def test_files_that_are_compressed_one_by_one_belong_to_the_corpus(midi_folder, cache_dir):
    for number, path in enumerate(sorted(midi_folder.rglob("piece*"))[:10]):
        packer, extension = ((gzip, ".gz"), (bz2, ".BZ2"))[number % 2]
        path.with_name(path.name + extension).write_bytes(packer.compress(path.read_bytes()))
        path.unlink()
    (midi_folder / "scores.tar.gz").write_bytes(b"")
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)
    assert corpus.quarantine.accepted == 60 and corpus.quarantine.ignored_files == ["scores.tar.gz"]


TICK = 0.02
"""In seconds: file systems of older kernels note no shorter time."""


def rewritten(path, data):
    """Another content of the same size and date."""
    time.sleep(TICK)
    status = os.stat(path)
    assert len(data) == status.st_size
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replaced(path, data):
    """Another file of the same size and date in its place."""
    status = os.stat(path)
    other = path.with_name("other")
    other.write_bytes(data)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(other, path)


WAYS_TO_A_FILE = {
    "itself": lambda folder: folder,
    "a link to the file": lambda folder: _linked(folder, lambda path, new: new.symlink_to(path)),
    "a link to a link": lambda folder: _linked(folder, _through_two_links),
    "a link to its folder": lambda folder: _within(folder, folder),
    "a link above it": lambda folder: _above(folder),
}


def _linked(folder, link):
    links = folder.parent / "links"
    links.mkdir()
    link(folder / "song.mid", links / "song.mid")
    return links


def _through_two_links(path, new):
    (path.parent.parent / "between.mid").symlink_to(path)
    new.symlink_to(path.parent.parent / "between.mid")


def _within(folder, target):
    (folder.parent / "links").mkdir()
    (folder.parent / "links" / "inner").symlink_to(target)
    return folder.parent / "links"


def _above(folder):
    (folder.parent / "parent").symlink_to(folder.parent)
    return folder.parent / "parent" / folder.name


@pytest.mark.parametrize("change", [rewritten, replaced])
@pytest.mark.parametrize("way", WAYS_TO_A_FILE)
def test_a_change_of_content_is_seen_by_whatever_way_it_is_read(corpus_folder, way, change):
    path = corpus_folder / "song.mid"
    path.write_bytes(b"first")
    source = WAYS_TO_A_FILE[way](corpus_folder)
    before = source_fingerprint(source)
    assert source_fingerprint(source) == before
    change(path, b"other")
    assert source_fingerprint(source) != before


def test_a_link_that_leads_elsewhere_by_now_is_seen(corpus_folder, tmp_path):
    for name in ("first", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "song.mid").write_bytes(name.encode())
        os.utime(tmp_path / name / "song.mid", (1, 1))
    for link, file in {"folder": "", "song.mid": "song.mid"}.items():
        found = set()
        for name in ("first", "other"):
            (corpus_folder / link).unlink(missing_ok=True)
            (corpus_folder / link).symlink_to(tmp_path / name / file)
            found |= {source_fingerprint(corpus_folder), source_fingerprint(corpus_folder / link)}
        assert len(found) == 4


@pytest.mark.parametrize("kind", ["folder", "zip", "linked zip"])
def test_music_that_changed_is_read_anew(midi_folder, tmp_path, cache_dir, kind):
    source, path = midi_folder, next(midi_folder.rglob("piece 00.mid"))
    if kind != "folder":
        path = source = Path(shutil.make_archive(tmp_path / "packed", "zip", midi_folder))
    if kind == "linked zip":
        source = tmp_path / "link.zip"
        source.symlink_to(path)
    before = stored(load_corpus(source, cache_dir=cache_dir, split_shares=SHARES))
    changed = path.read_bytes()
    if kind == "folder":
        changed = changed.replace(b"melody", b"Melody")
    else:
        next(midi_folder.rglob("piece 01*")).unlink()
        changed = Path(shutil.make_archive(tmp_path / "other", "zip", midi_folder)).read_bytes()
        changed += bytes(len(path.read_bytes()) - len(changed))
    rewritten(path, changed)
    after = stored(load_corpus(source, cache_dir=cache_dir, split_shares=SHARES))
    assert before != after and len(after) == (60 if kind == "folder" else 59)
