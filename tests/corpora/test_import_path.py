"""A corpus of the user's own, named by its import path wherever a corpus is named."""

import json
import os
import sys

import pytest
from preloaded import run_code

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.runs import find_pieces

SHARES = (0.6, 0.2, 0.2)
CODE = """
from datasets import Value
from symusic import Note, Score, Track

from neuromusic_hf.corpora import MidiCorpusBuilder, Piece
from neuromusic_hf.music import midi_bytes

from .keys import FIRST_KEY


class Scales(MidiCorpusBuilder):
    METADATA = {"key": Value("int32"), "place": Value("string")}

    def list_pieces(self):
        return list(range(40))

    def read_pieces(self, pieces):
        for number in pieces:
            score, track = Score(480), Track()
            for step in range(24):
                track.notes.append(Note(240 * step, 240, FIRST_KEY + (number + step * (1 + number)) % 60, 80))
            score.tracks.append(track)
            metadata = {"key": number, "place": self.config.data_dir}
            yield Piece(f"scale {number}", midi_bytes(score), metadata=metadata)


class NoCorpus:
    pass
"""
NAME = "own_package.music.Scales"


@pytest.fixture
def own_package(tmp_path, monkeypatch):
    """A folder with a package, where Python looks for modules."""
    package = tmp_path / "place" / "own_package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "keys.py").write_text("FIRST_KEY = 40\n")
    (package / "music.py").write_text(CODE)
    (package / "broken.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    yield package.parent
    for name in [name for name in sys.modules if name.split(".")[0] == "own_package"]:
        del sys.modules[name]


def rows_of(corpus):
    return {split: [(row["content_hash"], row["key"]) for row in rows] for split, rows in corpus.items()}


def test_an_import_path_is_the_class_it_leads_to(own_package, cache_dir):
    corpus = load_corpus(NAME, "~/songs", cache_dir=cache_dir, split_shares=SHARES)
    from own_package.music import Scales

    assert rows_of(corpus) == rows_of(load_corpus(Scales, "~/songs", cache_dir=cache_dir, split_shares=SHARES))
    assert sum(corpus.num_rows.values()) == 40
    assert set(corpus["train"]["place"]) == {os.path.expanduser("~/songs")}
    assert corpus.quarantine.corpus == NAME


@pytest.fixture(autouse=True)
def songs(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "songs").mkdir()


def test_processes_and_streams_give_the_same_rows(own_package, tmp_path):
    expected = rows_of(load_corpus(NAME, cache_dir=tmp_path / "one", split_shares=SHARES))
    assert rows_of(load_corpus(NAME, cache_dir=tmp_path / "two", split_shares=SHARES, num_proc=2)) == expected
    assert rows_of(load_corpus(NAME, split_shares=SHARES, streaming=True)) == expected


def test_it_joins_with_others(own_package, midi_folder, cache_dir):
    corpus = load_corpus(f"{NAME}+{midi_folder}", cache_dir=cache_dir, split_shares=SHARES)
    assert sum(corpus.num_rows.values()) == 100
    assert corpus.quarantine.corpus == f"{NAME}+{midi_folder}"


def run_in_another_process(own_package, cache_dir, num_proc):
    code = (
        "import json, sys; from neuromusic_hf import load_corpus\n"
        "if __name__ == '__main__':\n"
        f"    corpus = load_corpus({NAME!r}, cache_dir=sys.argv[1], split_shares={SHARES}, num_proc={num_proc})\n"
        "    print(json.dumps([corpus['train']._fingerprint, corpus['test']['content_hash'][:]]))"
    )
    done = run_code(code, str(cache_dir), folder=own_package.parent, variables={"PYTHONPATH": str(own_package)})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_another_process_finds_it_and_its_cache_until_its_code_changes(own_package, cache_dir):
    first = run_in_another_process(own_package, cache_dir, num_proc=2)
    here = load_corpus(NAME, cache_dir=cache_dir, split_shares=SHARES)
    assert first == [here["train"]._fingerprint, here["test"]["content_hash"][:]]
    path = own_package / "own_package" / "music.py"
    path.write_text(path.read_text().replace("step * (1 + number)", "step * (2 + number)"))
    changed = run_in_another_process(own_package, cache_dir, num_proc=None)
    assert changed[0] != first[0] and not set(changed[1]) & set(first[1])


def test_a_test_run_takes_its_pieces_from_it(own_package):
    assert 0 < len(find_pieces([NAME])) < 20


def test_what_lies_at_that_path_wins(own_package, midi_folder, cache_dir, monkeypatch):
    monkeypatch.chdir(own_package.parent)
    os.rename(midi_folder, NAME)
    corpus = load_corpus(NAME, cache_dir=cache_dir, split_shares=SHARES)
    assert sum(corpus.num_rows.values()) == 60 and "key" not in corpus["train"].column_names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_package.music.Scales", "no module 'no_package'.* PYTHONPATH.* no file or folder"),
        ("music.zip", "no file or folder 'music.zip' either"),
        ("own_package.music.Scale", "has no 'Scale'. Give Scales.* no file or folder"),
        ("own_package.music.NoCorpus", "not a subclass of .*MidiCorpusBuilder"),
        ("own_package.broken.Scales", "no_such_library"),
    ],
)
def test_a_wrong_path_is_told_for_what_it_may_have_been(own_package, name, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_corpus(name)
    assert "bach, folk, monteverdi, maestro, lamd" in str(caught.value)
