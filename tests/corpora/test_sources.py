import os
import random
import tarfile

import pytest

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.corpora.sources import SourceError, is_archive, list_source, read_source
from neuromusic_hf.music import RefusedFile, SanityLimits

UNSAFE_NAMES = ["../outside.mid", "/absolute.mid", "a/../../outside.mid", "C:/drive.mid", "..\\backslash.mid"]


def snapshot(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def read_all(path, **limits):
    return {entry.name: data for entry, data in read_source(path, list_source(path), SanityLimits(**limits))}


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_that_lead_out_of_their_folder_are_refused_and_nothing_is_written(
    kind, make_zip, make_tar, make_midi, tmp_path, cache_dir
):
    members = [(f"good/{seed}.mid", make_midi(seed)) for seed in range(60)]
    members += [(name, make_midi(100)) for name in UNSAFE_NAMES]
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    archive = (make_zip if kind == "zip" else make_tar)(members, name=f"a/b/archive.{kind}")
    before = snapshot(tmp_path)
    corpus = load_corpus(archive, cache_dir=cache_dir)
    assert [path for path in snapshot(tmp_path) if path.parts[0] != "cache"] == before
    assert {file["path"] for file in corpus.quarantine.files} == set(UNSAFE_NAMES)
    assert corpus.quarantine.refused == {"unsafe_path": len(UNSAFE_NAMES)}
    assert corpus.quarantine.accepted == 60


def test_links_in_a_tar_are_refused(make_tar, make_midi):
    link = tarfile.TarInfo("link.mid")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    found = read_all(make_tar([("good.mid", make_midi(1)), (link, b"")]))
    assert found["good.mid"] == make_midi(1)
    assert found["link.mid"].reason == "unsafe_path" and "/etc/passwd" in found["link.mid"].detail


@pytest.mark.parametrize("name", ["plain.tar", "packed.tar.gz", "packed.tar.xz"])
def test_tars_read_like_the_files_they_hold(make_tar, make_midi, name):
    members = [(f"{seed}.mid", make_midi(seed)) for seed in range(3)]
    assert read_all(make_tar(members, name=name)) == dict(members)


def test_a_bomb_is_refused_by_its_declared_size(make_zip):
    found = read_all(make_zip([("bomb.mid", bytes(10_000_000))]), max_file_bytes=1_000)
    assert found["bomb.mid"].reason == "too_large"


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(make_zip):
    path = make_zip([("bomb.mid", bytes(10_000_000))])
    declared = (10_000_000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(declared, (500).to_bytes(4, "little")))
    assert read_all(path, max_file_bytes=1_000)["bomb.mid"].reason in ("too_large", "unreadable")


def test_a_damaged_member_is_refused_alone(make_zip, make_midi):
    path = make_zip([("a.mid", make_midi(1)), ("b.mid", make_midi(2))])
    data = bytearray(path.read_bytes())
    start = data.index(b"a.mid") + len("a.mid")
    data[start : start + 30] = bytes(30)
    path.write_bytes(bytes(data))
    found = read_all(path)
    assert found["a.mid"].reason == "unreadable" and found["b.mid"] == make_midi(2)


def test_two_members_of_one_name_are_both_read(make_zip, make_midi):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = make_zip([("a.mid", make_midi(1)), ("a.mid", make_midi(2))])
    found = [data for _, data in read_source(path, list_source(path), SanityLimits())]
    assert found == [make_midi(1), make_midi(2)]


def test_a_dangling_link_in_a_folder_is_missing(tmp_path):
    (tmp_path / "link.mid").symlink_to(tmp_path / "nowhere.mid")
    assert read_all(tmp_path)["link.mid"].reason == "missing"


def test_a_truncated_tar_is_an_error_that_says_so(make_tar):
    path = make_tar([("a.mid", random.Random(0).randbytes(200_000))])
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(SourceError, match="damaged or incomplete"):
        list_source(path)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_whatever_is_wrong_with_an_archive_is_told_as_such(make_zip, make_tar, make_midi, kind):
    """Bytes changed, ends cut off: members are read or refused, or the archive is, and nothing else is raised."""
    members = [(f"{'x' * 120}/{seed}.mid", make_midi(seed)) for seed in range(3)]
    path = make_zip(members) if kind == "zip" else make_tar(members, name=f"archive.{kind}")
    whole, chance = path.read_bytes(), random.Random(0)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 1, 3])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        path.write_bytes(bytes(data))
        is_archive(path)
        try:
            found = read_all(path)
        except SourceError as error:
            assert str(path) in str(error)
            continue
        assert all(isinstance(each, bytes | RefusedFile) for each in found.values())


def refuse_to_list(monkeypatch, folder):
    real = os.scandir

    def scandir(path):
        if not isinstance(path, int) and os.path.abspath(path) == os.path.abspath(folder):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_folder_that_cannot_be_listed_is_named_and_the_others_are_read(midi_folder, cache_dir, monkeypatch):
    refuse_to_list(monkeypatch, midi_folder / "composer 1")
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=(0.6, 0.2, 0.2))
    (told,) = corpus.quarantine.files
    assert told["path"] == "composer 1" and told["reason"] == "unreadable" and "Permission denied" in told["detail"]
    assert corpus.quarantine.accepted == 45
    refuse_to_list(monkeypatch, midi_folder)
    with pytest.raises(SourceError, match="cannot be listed: Permission denied"):
        list_source(midi_folder)


def test_pipes_devices_and_links_in_circles_are_refused_and_nothing_waits(tmp_path, make_midi):
    os.mkfifo(tmp_path / "pipe.mid")
    (tmp_path / "circle.mid").symlink_to(tmp_path / "circle.mid")
    (tmp_path / "null.mid").symlink_to("/dev/null")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "up").symlink_to(tmp_path)
    (tmp_path / "good.mid").write_bytes(make_midi(1))
    found = read_all(tmp_path)
    assert found.pop("good.mid") == make_midi(1)
    assert {name: refused.reason for name, refused in found.items()} == {
        "pipe.mid": "unreadable",
        "null.mid": "unreadable",
        "circle.mid": "missing",
        "deep/up": "already_listed",
    }


def test_a_file_that_grows_while_it_is_read_is_bounded(tmp_path, monkeypatch):
    (tmp_path / "grows.mid").write_bytes(bytes(5_000))
    monkeypatch.setattr(os.path, "getsize", lambda path: 10)
    assert read_all(tmp_path, max_file_bytes=1_000)["grows.mid"].reason == "too_large"


def test_what_is_neither_folder_nor_archive_is_an_error(tmp_path):
    (tmp_path / "text.zip").write_text("not a zip")
    with pytest.raises(SourceError, match="text.zip"):
        list_source(tmp_path / "text.zip")
    with pytest.raises(SourceError, match="nowhere"):
        list_source(tmp_path / "nowhere")
