import hashlib

import pytest

from neuromusic_hf.corpora import MaestroCorpus, load_corpus
from neuromusic_hf.corpora import maestro as maestro_module
from neuromusic_hf.music import Midi

HEADER = "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration"
SPLITS = ["train"] * 6 + ["validation"] * 2 + ["test"] * 2


@pytest.fixture
def members(make_midi):
    rows = [
        f'Composer {i},"Sonata, No. {i}",{split},{2004 + i},2004/{i}.midi,x.wav,1.0' for i, split in enumerate(SPLITS)
    ]
    files = [(f"maestro-v2.0.0/2004/{i}.midi", make_midi(i)) for i in range(len(SPLITS))]
    return [*files, ("maestro-v2.0.0/maestro-v2.0.0.csv", "\n".join([HEADER, *rows])), ("maestro-v2.0.0/README", "hi")]


@pytest.fixture
def archive(make_zip, members):
    return make_zip(members, name="maestro.zip")


def unpack(members, folder):
    for name, data in members:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())


def check(corpus):
    assert corpus.num_rows == {"train": 6, "validation": 2, "test": 2}
    row = corpus.cast_column("midi", Midi(decode=False))["test"][1]
    assert (row["composer"], row["title"], row["year"]) == ("Composer 9", "Sonata, No. 9", 2013)
    assert row["midi"]["path"].endswith("2004/9.midi")
    assert corpus.quarantine.refused == {}


def test_the_csv_gives_splits_and_metadata(archive, cache_dir):
    check(load_corpus("maestro", archive, cache_dir=cache_dir))


@pytest.mark.parametrize("inner", ["", "maestro-v2.0.0"])
def test_a_folder_of_that_layout_or_around_it_will_do(members, tmp_path, cache_dir, inner):
    unpack(members, tmp_path / "data")
    check(load_corpus("maestro", tmp_path / "data" / inner, cache_dir=cache_dir, num_proc=2))


def test_missing_and_unnamed_files_are_quarantined(make_zip, members, make_midi, cache_dir):
    members = [member for member in members if not member[0].endswith("/0.midi")]
    archive = make_zip([*members, ("maestro-v2.0.0/2004/extra.midi", make_midi(77))])
    corpus = load_corpus("maestro", archive, cache_dir=cache_dir)
    assert {file["path"]: file["reason"] for file in corpus.quarantine.files} == {
        "maestro-v2.0.0/2004/0.midi": "missing",
        "maestro-v2.0.0/2004/extra.midi": "not_in_csv",
    }
    assert corpus.num_rows["train"] == 5


BAD_ROWS = {
    "year": (b"C,T,train,then,2004/0.midi,x.wav,1.0", "year is 'then'"),
    "year of five digits": (b"C,T,train,99999999999,2004/0.midi,x.wav,1.0", "99999999999"),
    "split": (b"C,T,dev,2004,2004/0.midi,x.wav,1.0", "split is 'dev'"),
    "empty split": (b"C,T,,2004,2004/0.midi,x.wav,1.0", "split is ''"),
    "no file": (b"C,T,train,2004,,x.wav,1.0", "midi_filename is empty"),
    "too few": (b"C,T,train", "3 values for 7 columns"),
    "too many": (b"C,T, No. 1,train,2004,2004/0.midi,x.wav,1.0", "8 values for 7 columns"),
    "open quote": (b'C,"T,train,2004,2004/0.midi,x.wav,1.0', "unexpected end of data"),
    "no UTF-8": (b"C\xe9,T,train,2004,2004/0.midi,x.wav,1.0", "utf-8"),
    "null byte": (b"C,T\0,train,2004,2004/0.midi,x.wav,1.0", "null byte"),
    "too long": (b"C," + b"T" * 140_000 + b",train,2004,2004/0.midi,x.wav,1.0", "field limit"),
    "twice": (b"C,T,test,2004,2004/1.midi,x.wav,1.0", "line 3 names '2004/1.midi' already"),
    "outside": (b"C,T,train,2004,../../etc/passwd,x.wav,1.0", "named in maestro-v2.0.0.csv"),
}


def with_csv(members, content):
    return [(name, content if name.endswith(".csv") else data) for name, data in members]


@pytest.mark.parametrize("num_proc", [None, 2])
def test_a_bad_row_is_named_and_the_other_rows_are_read(make_zip, members, cache_dir, num_proc):
    """Each kind of bad row stands in the place of the row of the first piece, one corpus each but for the quote."""
    lines = members[-2][1].encode().splitlines()
    for name, (bad, problem) in BAD_ROWS.items():
        if num_proc and name not in ("year", "twice"):
            continue
        rows = [*lines[:3], bad, *lines[3:]] if name == "twice" else [lines[0], bad, *lines[2:]]
        archive = make_zip(with_csv(members, b"\r\n".join(rows)), name=f"{name}.zip")
        corpus = load_corpus("maestro", archive, cache_dir=cache_dir, num_proc=num_proc)
        assert sum(corpus.num_rows.values()) == (10 if name == "twice" else 9), name
        (told,) = [file for file in corpus.quarantine.files if problem in file["detail"]]
        if name != "outside":
            assert told["reason"] == "bad_csv_row" and ("line 4" if name == "twice" else "line 2") in told["detail"]


@pytest.mark.parametrize(
    "content, problem",
    [
        ("", r"lacks the columns"),
        (HEADER.replace(",", ";") + "\n1;2", r"its first line has \['canonical_composer;"),
        (HEADER.replace("split,", ""), r"lacks the columns \['split'\]"),
        (b"\xff\xfe" + HEADER.encode("utf-16-le"), "names no columns"),
    ],
)
def test_a_csv_that_is_of_no_use_is_named(make_zip, members, cache_dir, content, problem):
    archive = make_zip(with_csv(members, content))
    with pytest.raises(ValueError, match=f"{problem}.*official archive") as caught:
        load_corpus("maestro", archive, cache_dir=cache_dir)
    assert "maestro-v2.0.0/maestro-v2.0.0.csv" in str(caught.value) and str(archive) in str(caught.value)


def test_a_csv_that_cannot_be_read_is_named(make_zip, members, cache_dir):
    archive = make_zip(with_csv(members, "x" * (17 * 2**20)))
    with pytest.raises(ValueError, match=r"Cannot read 'maestro-v2.0.0/maestro-v2.0.0.csv'.*too_large"):
        load_corpus("maestro", archive, cache_dir=cache_dir)


def test_a_folder_that_is_not_maestro_says_so(midi_folder, cache_dir):
    with pytest.raises(ValueError, match="There is no maestro-v2.0.0.csv"):
        load_corpus("maestro", midi_folder, cache_dir=cache_dir)


def test_without_data_dir_the_archive_is_downloaded_once(archive, cache_dir, monkeypatch):
    downloads = []

    def fake_fetch(url, target, sha256):
        downloads.append((url, sha256))
        import shutil
        from pathlib import Path

        Path(target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(archive, target)

    monkeypatch.setattr(maestro_module, "fetch", fake_fetch)
    check(load_corpus("maestro", cache_dir=cache_dir))
    check(load_corpus("maestro", cache_dir=cache_dir))
    assert downloads == [(maestro_module.URL, maestro_module.SHA256)]


def test_the_download_is_real(archive, cache_dir, tmp_path):
    import functools
    import http.server
    import threading

    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *args: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        class LocalMaestro(MaestroCorpus):
            URL = f"http://127.0.0.1:{server.server_port}/maestro.zip"
            SHA256 = hashlib.sha256(archive.read_bytes()).hexdigest()

        check(load_corpus(LocalMaestro, cache_dir=cache_dir))
        server.shutdown()
    assert (cache_dir / "downloads" / "maestro.zip").read_bytes() == archive.read_bytes()
