"""A corpus that is prepared in tasks is the corpus that one process makes, however often it is stopped."""

from pathlib import Path

import datasets
import pytest
from music import make_song

from neuromusic_hf.corpora import QuarantineReport, load_corpus
from neuromusic_hf.preparation import begin_preparation, stages

KILLED_ONCE = """
import os, signal
from music import make_song
from neuromusic_hf.corpora import MidiCorpusBuilder, Piece


class KilledOnce(MidiCorpusBuilder):
    @classmethod
    def source_fingerprint(cls, data_dir):
        return "one"

    def list_pieces(self):
        return list("abcdefghijklmnopqrst")

    def read_pieces(self, pieces):
        marker = f"{self.config.data_dir}/killed"
        for name in pieces:
            if name == "h" and not os.path.exists(marker):
                open(marker, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            yield Piece(f"{name}.mid", make_song(ord(name), bars=4).dumps_midi())
"""


def files_of(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "data").iterdir())}


def test_four_tasks_are_one_process(source, one_process, prepare, shares, rows_of, tmp_path):
    folder = prepare(source, tmp_path / "prepared")
    again = load_corpus(folder, cache_dir=tmp_path / "cache")
    assert rows_of(again) == rows_of(one_process)
    assert again["train"].features == one_process["train"].features
    assert QuarantineReport.load(folder / "quarantine.json") == one_process.quarantine
    assert {"not_midi", "empty_file"} & set(one_process.quarantine.refused) and one_process.quarantine.mended
    hashed = load_corpus(source, split_version="notes-hash-1", split_shares=shares, cache_dir=tmp_path / "cache")
    assert rows_of(hashed) != rows_of(one_process), "no family says anything here"
    assert sorted(path.name for path in folder.iterdir()) == [
        ".preparation",
        "README.md",
        "data",
        "provenance.json",
        "quarantine.json",
    ]


@pytest.mark.parametrize("version", ["families-1", "families-2"])
def test_families_are_those_of_the_version(prepare, rows_of, tmp_path, version):
    """Copies in notes an eighth as long were not found by the first."""
    songs = tmp_path / "songs"
    songs.mkdir()
    for seed in range(24):
        score = make_song(seed % 12)
        score.tracks = score.tracks[:1]
        for index, note in enumerate(score.tracks[0].notes):
            note.duration = 30 if seed >= 12 else 240
            note.time = note.duration * index
        score.dump_midi(songs / f"{seed}.mid")
    how = {"split_shares": (0.4, 0.3, 0.3), "split_version": version}
    folder = prepare(songs, tmp_path / "prepared", **how)
    one_process = load_corpus(songs, cache_dir=tmp_path / "cache", **how)
    assert rows_of(load_corpus(folder, cache_dir=tmp_path / "cache")) == rows_of(one_process)
    split_of = {midi["path"]: split for split, rows in rows_of(one_process).items() for midi in rows["midi"]}
    assert all(split_of[f"{seed}.mid"] == split_of[f"{seed + 12}.mid"] for seed in range(12)) == (
        version == "families-2"
    )


def test_files_do_not_depend_on_tasks(source, one_process, prepare, rows_of, tmp_path):
    small = {"max_shard_bytes": 3000}
    folders = [prepare(source, tmp_path / f"{tasks}", tasks, **small) for tasks in (1, 13)]
    files = files_of(folders[0])
    assert files == files_of(folders[1])
    assert len(files) > 20 and sum(name.startswith("test-") for name in files) > 2
    assert rows_of(load_corpus(folders[1], cache_dir=tmp_path / "cache")) == rows_of(one_process)


@pytest.mark.parametrize("stopped_in", ["list", "read", "candidates", "align", "split", "write", "finish"])
def test_what_was_stopped_goes_on(source, one_process, prepare, shares, rows_of, tmp_path, monkeypatch, stopped_in):
    """As by a kill, a task ends in the midst of its work."""
    output = tmp_path / "prepared"
    preparation = begin_preparation(source, output, tasks=3, split_shares=shares, max_shard_bytes=20_000)
    [stage] = [stage for stage in stages(preparation) if stage.name == stopped_in]
    block = type(stage.pipeline[0])
    run, ran = block.run, []

    def stopping(self, data=None, rank=0, world_size=1):
        ran.append(rank)
        result = run(self, data, rank, world_size)
        if len(ran) == stage.tasks:  # the last task, when half of it is done
            if result is not None:
                yield next(iter(result))
            raise KeyboardInterrupt
        yield from result or ()

    monkeypatch.setattr(block, "run", stopping)
    with pytest.raises(KeyboardInterrupt):
        prepare(source, output, 3, max_shard_bytes=20_000)
    monkeypatch.setattr(block, "run", lambda *args, **kwargs: ran.append(args[2]) or run(*args, **kwargs))
    if stopped_in in ("align", "write"):
        with pytest.raises(ValueError, match="is not prepared to its end"):
            load_corpus(output, cache_dir=tmp_path / "cache")
    if stopped_in != "finish":
        assert not (output / "data").exists()
    assert not list((output / ".preparation").rglob("*.partial"))
    ran.clear()
    prepare(source, output, 3, max_shard_bytes=20_000)
    assert ran == [stage.tasks - 1]
    assert rows_of(load_corpus(output, cache_dir=tmp_path / "cache")) == rows_of(one_process)


def test_files_that_went_where_they_belong_are_not_lost(source, one_process, prepare, rows_of, tmp_path, monkeypatch):
    """Stopped between the tokens and the rows."""
    folder, rename = tmp_path / "prepared", Path.rename

    def stopping(self, target):
        if self.name == "data":
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", stopping)
        with pytest.raises(KeyboardInterrupt):
            prepare(source, folder, tasks=1, tokenization="REMI")
    assert (folder / "tokens").exists() and not (folder / "data").exists()
    prepare(source, folder, tasks=1, tokenization="REMI")
    assert rows_of(load_corpus(folder, cache_dir=tmp_path / "cache")) == rows_of(one_process)
    assert datasets.load_dataset(str(folder), "tokens", cache_dir=tmp_path / "cache").num_rows == one_process.num_rows


def test_a_killed_worker_is_told_and_not_waited_for(prepare, shares, rows_of, tmp_path, monkeypatch):
    (tmp_path / "killing.py").write_text(KILLED_ONCE)
    monkeypatch.syspath_prepend(tmp_path)
    source, options = "killing.KilledOnce", {"data_dir": tmp_path, "executor_options": {"workers": 2}}
    with pytest.raises(RuntimeError, match="A worker of the stage 'read' was killed"):
        prepare(source, tmp_path / "prepared", **options)
    prepare(source, tmp_path / "prepared", **options)
    corpus = load_corpus(source, tmp_path, split_shares=shares, cache_dir=tmp_path / "cache")
    assert rows_of(load_corpus(tmp_path / "prepared", cache_dir=tmp_path / "cache")) == rows_of(corpus)
