import os
import subprocess
import sys
import threading
import time

import pytest
from preloaded import run_code

from neuromusic_hf.corpora import BachCorpus, FolkCorpus, MonteverdiCorpus, load_corpus
from neuromusic_hf.corpora.embedded import _tunes, silenced
from neuromusic_hf.corpora.musicxml import Work
from neuromusic_hf.music import Midi


@pytest.fixture
def no_network(monkeypatch):
    import socket

    connect = socket.socket.connect

    def only_local(self, address):  # processes talk to each other through Unix sockets
        assert self.family == socket.AF_UNIX, f"an embedded corpus must not use the network, asked for {address}"
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_local)


def rows_of(corpus):
    return [row for rows in corpus.cast_column("midi", Midi(decode=False)).values() for row in rows]


def test_all_works_and_tunes_are_listed(cache_dir):
    assert len(BachCorpus(str(cache_dir)).list_pieces()) == 408
    assert len(MonteverdiCorpus(str(cache_dir)).list_pieces()) == 49
    tunes = FolkCorpus(str(cache_dir)).list_pieces()
    assert len(tunes) == len(set(tunes)) == 4248
    assert {file.split("/")[0] for file, _ in tunes} == {"airdsAirs", "oneills1850", "ryansMammoth"}


def test_folk_tunes_have_titles_and_notes(cache_dir, no_network):
    corpus = load_corpus("folk", cache_dir=cache_dir, max_pieces=200, num_proc=2)
    rows = rows_of(corpus)
    assert len(rows) == 200 and corpus.quarantine.refused == {}
    assert all(row["title"] and row["num_notes"] >= 16 and row["duration"] > 4 for row in rows)
    first = next(row for row in rows if row["midi"]["path"] == "airdsAirs/book1.abc#0001")
    assert (first["title"], first["collection"]) == ("The Ranting Highlandman.", "Aird's Airs")


def test_bach_and_folk_join_in_every_split(cache_dir, no_network):
    corpus = load_corpus("bach+folk", cache_dir=cache_dir, max_pieces=12, split_shares=(0.34, 0.33, 0.33))
    rows = rows_of(corpus)
    bach = [row for row in rows if row["composer"] == "Johann Sebastian Bach"]
    assert len(rows) == 24 and len(bach) == 12
    assert all(row["title"] and row["num_notes"] > 100 for row in bach)
    voices = [len(row["midi"].tracks) for row in corpus["train"] if row["collection"] == "music21 Bach"]
    assert voices and min(voices) >= 4


def test_madrigals_are_42_and_what_is_left_out_is_told(cache_dir, no_network):
    corpus = load_corpus("monteverdi", cache_dir=cache_dir)
    rows = rows_of(corpus)
    assert len(rows) == 42 and min(len(split) for split in corpus.values()) >= 5
    assert corpus.quarantine.refused == {"rights_reserved": 6, "replaced": 1} and not corpus.quarantine.mended
    assert {row["composer"] for row in rows} == {"Claudio Monteverdi"}
    assert len({row["title"] for row in rows}) == 42 and "Madrigals, book 4, number 20" in {r["title"] for r in rows}


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("madrigal.4.20", "Madrigals, book 4, number 20"),
        ("madrigal.4", "madrigal.4"),
        ("zefiro_torna", "zefiro_torna"),
        ("madrigal.4.20.2", "madrigal.4.20.2"),
    ],
)
def test_a_madrigal_is_called_by_book_and_number_or_by_its_file(cache_dir, name, title):
    assert MonteverdiCorpus(str(cache_dir)).title_of(Work(b"", ("CANTO",)), name) == title


def test_embedded_corpora_take_no_data_dir(cache_dir):
    with pytest.raises(ValueError, match="takes no data_dir"):
        load_corpus("folk", data_dir="somewhere", cache_dir=cache_dir)


def test_notation_complaints_do_not_reach_the_user(tmp_path):
    tune = "X:1\nT:Untidy\nM:4/4\nL:1/8\nK:C\nCDEF GABc`|CDEF GABc:|\n"
    code = (
        "import sys\nfrom neuromusic_hf.corpora.embedded import _read_tune\n"
        "piece = _read_tune('airdsAirs/untidy.abc', sys.argv[1])\n"
        "print('notes', len(piece.data) > 100, flush=True)\n"
    )
    noisy = f"import symusic, sys; symusic.Score.from_abc({tune!r})"
    loud = subprocess.run([sys.executable, "-c", noisy], capture_output=True, text=True, check=True)
    assert "Warning" in loud.stdout + loud.stderr
    quiet = run_code(code, tune, folder=tmp_path)
    assert quiet.stdout == "notes True\n" and "Warning in" not in quiet.stderr


def test_output_comes_back_after_silence_even_after_an_error(capfd):
    with pytest.raises(KeyError), silenced():
        os.write(1, b"hidden")
        raise KeyError
    os.write(1, b"shown")
    assert capfd.readouterr().out == "shown"


def test_output_comes_back_after_several_threads_were_silent(capfd):
    first_is_silent = threading.Event()

    def be_silent():
        with silenced():
            first_is_silent.set()
            time.sleep(0.05)

    first = threading.Thread(target=be_silent)
    first.start()
    first_is_silent.wait(10)
    be_silent()
    first.join(10)
    os.write(1, b"shown")
    assert capfd.readouterr().out == "shown"


def test_tunes_are_cut_at_their_numbers(tmp_path):
    (tmp_path / "book.abc").write_text("% a header\n\nX:1\nT:One\nK:C\nCDE|\n\nX:2\nT:Two\nK:C\nEDC|\n")
    assert [tune.splitlines()[1] for tune in _tunes(tmp_path / "book.abc")] == ["T:One", "T:Two"]
