"""Small corpora built in process; no test here needs the network."""

import builtins
import errno
import io
import os
import random
import tarfile
import zipfile
from pathlib import Path

import pytest
import symusic

SHARED_DATA = Path(os.environ.get("NEUROMUSIC_DATA", Path(__file__).parents[3] / "shared" / "data"))


def build_score(seed, notes=24, tpq=480, velocity=64, tempo=120.0, program=0, drum=False, step=0.5, length=0.5):
    """A melody that only `seed` and `notes` decide; `step` and `length` are in quarter notes."""
    melody = random.Random(seed)
    score = symusic.Score(tpq)
    score.tempos.append(symusic.Tempo(0, tempo))
    score.time_signatures.append(symusic.TimeSignature(0, 4, 4))
    track = symusic.Track("melody", program, drum)
    for index in range(notes):
        pitch = melody.randrange(40, 90)
        track.notes.append(symusic.Note(round(index * step * tpq), round(length * tpq), pitch, velocity))
    score.tracks.append(track)
    return score


@pytest.fixture
def make_score():
    return build_score


@pytest.fixture
def make_midi():
    def make(seed=0, **kwargs):
        return build_score(seed, **kwargs).dumps_midi()

    return make


@pytest.fixture
def midi_folder(tmp_path):
    """60 pieces in nested folders, with extensions in both cases."""
    folder = tmp_path / "midi folder"
    for seed in range(60):
        extension = (".mid", ".MIDI", ".kar")[seed % 3]
        path = folder / f"composer {seed % 4}" / f"piece {seed:02d}{extension}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(build_score(seed).dumps_midi())
    return folder


@pytest.fixture
def cache_dir(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def make_zip(tmp_path):
    def make(members, name="archive.zip"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members:
                archive.writestr(member, data)
        return tmp_path / name

    return make


@pytest.fixture
def make_tar(tmp_path):
    def make(members, name="archive.tar.gz"):
        import io

        mode = "w:gz" if name.endswith("gz") else "w:xz" if name.endswith("xz") else "w"
        with tarfile.open(tmp_path / name, mode) as archive:
            for member, data in members:
                info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return tmp_path / name

    return make


@pytest.fixture
def shared_data():
    def find(name):
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"{path} is not there (set NEUROMUSIC_DATA to the folder of {name})")
        return path

    return find


@pytest.fixture
def make_read_only(monkeypatch):
    """What a folder mounted read-only answers: to locks, to new folders and to files that are written."""
    opens = {os: os.open, io: io.open, builtins: open}

    def make(folder, number=errno.EROFS):
        def refuse(path, writes):
            if writes and isinstance(path, str | os.PathLike) and str(path).startswith(str(folder)):
                raise OSError(number, os.strerror(number), str(path))

        def os_open(path, flags, *args, **kwargs):
            refuse(path, flags & (os.O_RDWR | os.O_WRONLY))
            return opens[os](path, flags, *args, **kwargs)

        def io_open(path, mode="r", *args, **kwargs):
            refuse(path, set(mode) & set("wax+"))
            return opens[io](path, mode, *args, **kwargs)

        monkeypatch.setattr(os, "open", os_open)
        for module in (io, builtins):
            monkeypatch.setattr(module, "open", io_open)

    return make
