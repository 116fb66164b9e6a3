"""A source, a tokenizer or code that changes while a corpus is prepared, and processes that are killed meanwhile."""

import importlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from music import make_song

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.preparation import begin_preparation, executors, identity, push_prepared, stages
from neuromusic_hf.preparation.joining import begins

TOKENIZER = """
import miditok

class Own(miditok.REMI):
    pass
"""

KILLED_IN_WRITE = """
import os, signal, sys
from neuromusic_hf.disk import whole
from neuromusic_hf.preparation import prepare_corpus

def sync(path):
    if path.name.startswith("_train-"):
        os.kill(os.getpid(), signal.SIGKILL)

whole.sync = sync
prepare_corpus(sys.argv[1], sys.argv[2], tasks=2, executor_options={"workers": 1}, split_shares=(0.5, 0.25, 0.25))
"""


@pytest.fixture
def songs(source, tmp_path):
    """A copy of the source, to be changed."""
    return Path(shutil.copytree(source, tmp_path / "songs"))


def before(monkeypatch, preparation, name, action):
    """Has something happen before a stage."""
    [stage] = [stage for stage in stages(preparation) if stage.name == name]
    block = type(stage.pipeline[0])
    run, once = block.run, [action]

    def acting(self, data=None, rank=0, world_size=1):
        if once:
            once.pop()()
        return run(self, data, rank, world_size)

    monkeypatch.setattr(block, "run", acting)


@pytest.mark.parametrize("stage", ["list", "read", "candidates"])
def test_a_source_that_changes_while_it_is_read_is_refused(songs, prepare, shares, tmp_path, monkeypatch, stage):
    output = tmp_path / "prepared"
    preparation = begin_preparation(songs, output, tasks=2, split_shares=shares)
    edit = (songs / "songs" / "00.mid").write_bytes
    before(monkeypatch, preparation, stage, lambda: edit(make_song(99, bars=8).dumps_midi()))
    if stage == "list":  # as it is when Slurm begins with it days later
        monkeypatch.setattr("neuromusic_hf.preparation.reading.check_source", lambda preparation: None)
    told = "Files of .*songs' were added, removed or changed after its preparation .* Remove that folder"
    with pytest.raises(RuntimeError, match=told):
        executors(preparation, workers=1)[-1].run()
    with pytest.raises(ValueError, match="from files of which some were added, removed or changed"):
        prepare(songs, output, tasks=2)
    assert not (output / "data").exists()
    shutil.rmtree(output)
    prepare(songs, output, tasks=2)


def test_a_source_that_changed_before_it_is_listed_is_not_read(songs, shares, tmp_path):
    preparation = begin_preparation(songs, tmp_path / "prepared", tasks=2, split_shares=shares)
    (songs / "new.mid").write_bytes(make_song(99, bars=8).dumps_midi())
    with pytest.raises(RuntimeError, match="were added, removed or changed"):
        executors(preparation, workers=1)[-1].run()
    assert not preparation.work.listing.exists()


def test_a_source_that_changes_when_all_is_read_does_no_harm(
    songs, one_process, shares, rows_of, tmp_path, monkeypatch
):
    preparation = begin_preparation(songs, tmp_path / "prepared", tasks=2, split_shares=shares)
    before(monkeypatch, preparation, "write", lambda: shutil.rmtree(songs))
    executors(preparation, workers=1)[-1].run()
    assert rows_of(load_corpus(tmp_path / "prepared", cache_dir=tmp_path / "cache")) == rows_of(one_process)


def test_another_tokenizer_of_the_same_name_is_refused(source, prepare, shares, tmp_path, monkeypatch):
    module, output = tmp_path / "own_tokens.py", tmp_path / "prepared"
    module.write_text(TOKENIZER)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    options = {"tasks": 2, "tokenization": "own_tokens.Own"}
    preparation = begin_preparation(source, output, split_shares=shares, **options)
    before(monkeypatch, preparation, "tokenize", lambda: module.write_text(f"{TOKENIZER}\nCHANGED = True\n"))
    with pytest.raises(RuntimeError, match="the code of the tokenizer was changed"):
        executors(preparation, workers=1)[-1].run()
    with pytest.raises(ValueError, match="the code of the tokenizer was changed"):
        prepare(source, output, **options)
    module.write_text(TOKENIZER)
    prepare(source, output, **options)


def test_a_task_with_other_code_is_refused(source, prepare, shares, tmp_path, monkeypatch):
    output = tmp_path / "prepared"
    preparation = begin_preparation(source, output, tasks=2, split_shares=shares)
    with monkeypatch.context() as patched:
        patched.setattr(identity, "code_of_rooms", lambda *rooms: "other")
        with pytest.raises(RuntimeError, match="other code .* the code of neuromusic_hf was changed"):
            executors(preparation, workers=1)[-1].run()
        patched.setattr(identity, "version", lambda name: "99")
        with pytest.raises(ValueError, match=r"numpy was [\d.]+ and is 99.* Bring back .* \(neuromusic_hf [\d.]+, "):
            prepare(source, output, tasks=2)
    prepare(source, output, tasks=2)


def test_what_is_prepared_stays_so_under_other_code(hub, source, prepare, tmp_path, monkeypatch, caplog):
    output = prepare(source, tmp_path / "prepared", tasks=2)
    monkeypatch.setattr(identity, "version", lambda name: "99")
    prepare(source, output, tasks=2)
    assert "is prepared, and stays what it is: since then neuromusic_hf was" in caplog.text
    push_prepared(output, "alice/songs")
    assert "README.md" in hub.files("alice/songs", kind="dataset")


def test_what_a_killed_process_leaves_is_not_delivered(source, one_process, prepare, rows_of, tmp_path):
    output = tmp_path / "prepared"
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_WRITE, source, output], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    assert list(output.rglob("_train-*.partial"))
    prepare(source, output, tasks=2)
    assert not list(output.rglob("*.partial"))
    assert {path.name.partition("-")[0] for path in (output / "data").iterdir()} == {"train", "validation", "test"}
    assert rows_of(load_corpus(output, cache_dir=tmp_path / "cache")) == rows_of(one_process)


def test_a_preparation_that_has_begun_is_no_corpus(source, shares, tmp_path):
    begin_preparation(source, tmp_path / "prepared", split_shares=shares)
    with pytest.raises(ValueError, match="is not prepared to its end: start scripts/prepare_corpus.py again"):
        load_corpus(tmp_path / "prepared", cache_dir=tmp_path / "cache")


def test_a_folder_in_the_corpus_is_refused(songs, prepare):
    with pytest.raises(ValueError, match="lies in the corpus that is read"):
        prepare(songs, songs / "prepared")
    assert not (songs / "prepared").exists()


def test_paths_do_not_depend_on_where_a_worker_is(source, shares, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "REMI").mkdir()
    named = begin_preparation(source, "prepared", split_shares=shares, tokenization="REMI", cache_dir="cache")
    assert named.cache_dir == str(tmp_path / "cache") and named.work.folder == tmp_path / "prepared"
    assert named.tokenization == "REMI" and named.processor().tokenization == "REMI"
    named.processor().save_pretrained(tmp_path / "mine")
    saved = begin_preparation(source, "other", split_shares=shares, tokenization="mine")
    monkeypatch.chdir(source)
    assert saved.tokenization == str(tmp_path / "mine") and saved.processor().tokenization == "REMI"
    assert json.loads(saved.work.configuration.read_text())["tokenization"] == saved.tokenization


def test_no_file_holds_more_than_it_may():
    assert begins(np.array([60, 60, 60]), 100) == [0, 1, 2]
    assert begins(np.array([50, 50, 1, 300, 10, 90]), 100) == [0, 2, 3, 4]
    assert begins(np.array([], dtype=np.int64), 100) == []
    random = np.random.default_rng(0)
    for _ in range(50):
        sizes = random.integers(0, 60, random.integers(1, 40))
        found = begins(sizes, 100)
        sums = [each.sum() for each in np.split(sizes, found[1:])]
        assert found[0] == 0 and max(sums) <= 100
        following = [sizes[begin] for begin in found[1:]]
        assert all(each + after > 100 for each, after in zip(sums, following, strict=False))
