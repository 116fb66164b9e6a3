"""A test run on disk: what it records, and that stopping it anywhere changes nothing."""

import dataclasses
import errno
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from music import make_score
from symusic import Note, Score, Track

from neuromusic_hf.disk import to_json
from neuromusic_hf.rendering import read_audio
from neuromusic_hf.runs import ContinuationSettings, OutputSettings, RunFolder, RunWriter, find_pieces
from neuromusic_hf.runs import run_writer as run_module
from neuromusic_hf.tokenization import Tally


class Stopped(BaseException):
    """What no code catches, as SIGKILL."""


class FakePipeline:
    """Continues a piece by its own second half; remembers the batches it was given."""

    def __init__(self, weights):
        self.model = SimpleNamespace(name_or_path=str(weights), hub_commit=None)
        self.batches = []
        self.sampling = {"do_sample": True, "top_p": 0.9}

    def sampling_in_force(self, **arguments):
        return self.sampling | arguments

    def guard_in_force(self):
        return None

    def __call__(self, pieces, *, prompt_length, max_new_tokens, seed, **arguments):
        self.batches.append([piece["name"] for piece in pieces])
        return [self.result(piece, prompt_length, max_new_tokens, seed) for piece in pieces]

    def result(self, piece, prompt_length, max_new_tokens, seed):
        score = Score.from_midi(piece["bytes"])
        if score.note_num() < 4:
            return {"skipped": {"reason": "too_short", "detail": f"{score.note_num()} notes"}}
        middle = score.end() // 2
        prompt, rest = score.clip(0, middle), score.clip(middle, score.end() + 1)
        return {
            "midi": score,
            "prompt": prompt,
            "continuation": rest,
            "original": rest,
            "prompt_token_ids": [1] * prompt_length,
            "token_ids": [2] * max_new_tokens,
            "original_token_ids": [3] * max_new_tokens,
            "ended_with_eos": False,
            "entropy": 1.25,
            "changed": Tally(10, 9, 8.0, 0.5, dropped_duplicates=1),
            "seed": seed + score.note_num(),
            "seconds": len(self.batches) / 7,
        }


@pytest.fixture
def weights(tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def pieces(tmp_path):
    folder = tmp_path / "prompts"
    folder.mkdir()
    for seed in range(6):
        make_score(seed, num_notes=30).dump_midi(folder / f"{seed} näme.mid")
    make_score(0, num_notes=2).dump_midi(folder / "1 short.mid")
    (folder / "3 gone.mid").symlink_to("nowhere.mid")
    return find_pieces([str(folder)])


@pytest.fixture
def new_run(tmp_path, weights, pieces):
    def build(folder="out", batch_size=3, pictures=False, **settings):
        return RunWriter(
            FakePipeline(weights),
            pieces,
            RunFolder(tmp_path / folder),
            ContinuationSettings(prompt_length=8, continue_length=4, batch_size=batch_size, **settings),
            OutputSettings(pictures=pictures),
        )

    return build


def complete(run, num_processes=1):
    run.begin(sources=["prompts"])
    for process_index in range(num_processes):
        run.write_share(process_index, num_processes)
    return run.end()


def contents(run):
    """Bytes of every file; of JSON without the seconds, which differ from run to run."""
    return {
        path.name: path.read_bytes() if path.suffix != ".json" else without_seconds(json.loads(path.read_text()))
        for path in sorted(run.folder.path.iterdir())
    }


def without_seconds(value):
    if isinstance(value, dict):
        return {key: without_seconds(item) for key, item in value.items() if key != "seconds"}
    return [without_seconds(item) for item in value] if isinstance(value, list) else value


def test_sound_is_cut_where_the_settings_say(new_run):
    pytest.importorskip("midirenderer", reason="midirenderer is not installed (pip install neuromusic_hf[audio])")
    run = dataclasses.replace(new_run(), output=OutputSettings(pictures=False, audio=1, max_audio_seconds=1.5))
    with pytest.warns(UserWarning, match="cut at 1.5 s"):
        (name,) = [piece.files.audio for piece in complete(run).pieces if piece.files.audio is not None]
    audio, rate = read_audio(run.folder.path / name)
    assert audio.shape[1] / rate == pytest.approx(1.5, abs=0.01)


def test_a_run_that_left_all_pieces_out_is_refused_by_reasons(new_run):
    manifest = complete(new_run())
    manifest.check_any()
    empty = dataclasses.replace(manifest, pieces=[])
    told = "No piece was continued. Left out: missing (1, as 004 3 gone: "
    with pytest.raises(ValueError, match=re.escape(told) + r".+\); too_short \(1, as 002 1 short: \d notes\)\."):
        empty.check_any()


def test_every_piece_is_recorded_or_left_out_with_a_reason(new_run, pieces):
    run = new_run(pictures=True)
    manifest = complete(run)
    written = json.loads((run.folder.path / "manifest.json").read_text())
    assert written == to_json(manifest)
    assert written["continued"] == len(manifest.pieces) == 6
    assert written["left_out"] == {"too_short": 1, "missing": 1}
    assert written["changed_by_tokenizer"]["changed"] == 6
    assert written["changed_by_tokenizer"]["total"]["dropped_duplicates"] == 6
    assert [piece.name for piece in manifest.pieces_left_out] == ["1 short", "3 gone"]
    assert all(piece.detail for piece in manifest.pieces_left_out)
    named = [*manifest.pieces, *manifest.pieces_left_out]
    assert sorted(piece.index for piece in named) == list(range(len(pieces)))
    assert all(piece.name == pieces[piece.index].name for piece in named)
    for piece in manifest.pieces:
        assert [piece.prompt_tokens, piece.generated_tokens, piece.original_tokens] == [8, 4, 4]
        assert piece.entropy_nats == 1.25 and piece.ended_with_eos is False
        files = {part: run.folder.path / name for part, name in to_json(piece.files).items()}
        assert len(files) == 6 and all(path.stat().st_size for path in files.values())
        for part, notes in to_json(piece.notes).items():
            assert Score(files[part]).note_num() == notes
    assert manifest.settings.continuation.prompt_length == 8
    assert manifest.settings.continuation.sampling == run.pipeline.sampling
    assert manifest.settings.pieces.sources == ["prompts"]
    assert len(manifest.settings.model.revision) == 64


def test_a_piece_that_no_midi_file_holds_is_left_out_without_files(new_run):
    crowd = Score(480)
    for program in range(20):
        crowd.tracks.append(Track(program=program))
        crowd.tracks[-1].notes.append(Note(0, 480, 60, 100))
    run = new_run()
    result_of = run.pipeline.result

    def result(piece, *args):
        return result_of(piece, *args) | ({"midi": crowd} if "4" in piece["name"] else {})

    run.pipeline.result = result
    manifest = complete(run)
    (record,) = [piece for piece in manifest.pieces_left_out if piece.reason == "unwritable"]
    assert record.name == "4 näme" and "20 parts" in record.detail and len(manifest.pieces) == 5
    assert [path.suffix for path in run.folder.path.glob("*4_n*")] == [".json"]


@pytest.mark.parametrize("num_processes", [2, 3, 5])
def test_processes_share_the_batches_and_leave_the_same_folder(new_run, num_processes):
    alone, together = new_run("alone"), new_run("together")
    complete(alone)
    complete(together, num_processes)
    assert contents(alone) == contents(together)
    assert sorted(alone.pipeline.batches) == sorted(together.pipeline.batches)


def stop_before_writing(monkeypatch, count):
    def write_piece(*args, **kwargs):
        if next(calls) == count:
            raise Stopped
        return original(*args, **kwargs)

    calls, original = iter(range(1000)), run_module.write_piece
    monkeypatch.setattr(run_module, "write_piece", write_piece)


def stop_amid_files(monkeypatch, count):
    def write_piece(result, index, name, folder, output):
        record = original(result, index, name, folder, output)
        if next(calls) == count:
            (folder / record.files.full).write_bytes(b"MThd")
            (folder / record.files.original).unlink()
            raise Stopped
        return record

    calls, original = iter(range(1000)), run_module.write_piece
    monkeypatch.setattr(run_module, "write_piece", write_piece)


def stop_amid_a_record(monkeypatch, count):
    def replace(partial, path):
        if next(calls) == count:
            partial.write_text(partial.read_text()[:20])
            raise Stopped
        original(partial, path)

    calls, original = iter(range(1000)), os.replace
    monkeypatch.setattr(os, "replace", replace)


@pytest.mark.parametrize("stop", [stop_before_writing, stop_amid_files, stop_amid_a_record])
def test_a_run_stopped_anywhere_ends_like_an_unbroken_one(new_run, monkeypatch, stop):
    unbroken = new_run("unbroken")
    complete(unbroken)
    expected = contents(unbroken)
    for count in range(6):
        broken = new_run(f"broken {count}")
        with monkeypatch.context() as patch:
            stop(patch, count)
            with pytest.raises(Stopped):
                complete(broken)
        resumed = new_run(f"broken {count}")
        complete(resumed)
        assert contents(resumed) == expected
        assert all(batch in unbroken.pipeline.batches for batch in resumed.pipeline.batches)


def test_what_is_finished_is_left_alone(new_run):
    run = new_run(batch_size=1)
    complete(run)
    assert len(run.pipeline.batches) == 7
    again = new_run(batch_size=1)
    kept = sorted(again.folder.path.glob("*.mid"))
    times = [path.stat().st_mtime_ns for path in kept]
    (again.folder.path / "001_1_näme.json").unlink()
    complete(again)
    assert again.pipeline.batches == [["1 näme"]]
    changed = {path.name[:3] for path, time in zip(kept, times, strict=True) if path.stat().st_mtime_ns != time}
    assert changed == {"001"}


def test_another_run_in_the_folder_is_refused_and_left_alone(new_run, pieces, weights):
    first = new_run()
    complete(first)
    before = contents(first)
    with pytest.raises(ValueError, match=r"continuation.seed: 0 there, 1 now(.|\n)*--overwrite"):
        complete(new_run(seed=1))
    with pytest.raises(ValueError, match="output.pictures: False there, True now"):
        complete(new_run(pictures=True))
    other = new_run()
    other.pipeline.sampling["top_p"] = 0.5
    with pytest.raises(ValueError, match="continuation.sampling.top_p: 0.9 there, 0.5 now"):
        complete(other)
    (weights / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ValueError, match="model.revision"):
        complete(new_run())
    (weights / "model.safetensors").write_bytes(b"weights")
    (weights / "generation_config.json").write_text('{"temperature": 2}')
    with pytest.raises(ValueError, match="model.files"):
        complete(new_run())
    (weights / "generation_config.json").unlink()
    first_prompt, status = pieces[0].path, pieces[0].path.stat()
    data = first_prompt.read_bytes()
    first_prompt.write_bytes(data[:-10] + bytes(10))
    os.utime(first_prompt, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(ValueError, match="pieces.sha256"):
        complete(new_run())
    first_prompt.write_bytes(data)
    pieces.pop()
    with pytest.raises(ValueError, match=r"pieces.number: 8 there, 7 now\n.*pieces.sha256"):
        complete(new_run())
    assert contents(first) == before


def test_overwriting_removes_what_the_run_before_left_and_no_more(new_run, pieces):
    complete(new_run(pictures=True))
    folder = new_run().folder.path
    (folder / "notes.txt").write_text("mine")
    (folder / "000_mine.txt").write_text("mine")
    del pieces[4:]
    run = new_run(seed=5)
    run.begin(overwrite=True)
    assert {path.name for path in folder.iterdir()} == {"notes.txt", "000_mine.txt", "settings.json"}
    complete(new_run("fresh", seed=5))
    assert run.folder.finished() == set()


def test_results_without_settings_belong_to_nobody(new_run):
    run = new_run()
    complete(run)
    (run.folder.path / "settings.json").unlink()
    with pytest.raises(ValueError, match="settings.json.*--overwrite"):
        complete(new_run())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1 column 1"),
        ("[]", "not an object"),
        ('{"index": 0}', "lacks 'name'"),
        ('{"index": 1, "name": "a", "reason": "b", "detail": "c"}', "its index is 1"),
        pytest.param("[" * 100_000, "recursion", id="deep"),
    ],
)
def test_a_damaged_record_is_named_before_anything_is_continued(new_run, content, message):
    run = new_run()
    complete(run)
    (path,) = [path for path in run.folder.path.glob("000_*.json")]
    path.write_text(content)
    told = f"{path.name} is not the record of piece 0.*{message}.*Delete it and run again"
    with pytest.raises(ValueError, match=told):
        run.begin(sources=["prompts"])
    path.unlink()
    assert len(complete(run).pieces) == 6


def test_damaged_settings_are_named(new_run):
    run = new_run()
    run.begin(sources=["prompts"])
    for content in ("", "[]", "null"):
        (run.folder.path / "settings.json").write_text(content)
        with pytest.raises(ValueError, match="settings.json does not hold.*--overwrite"):
            run.begin(sources=["prompts"])


def test_a_file_that_finds_no_space_is_told_by_name_and_its_piece_is_not_finished(new_run, monkeypatch):
    real, run = Path.write_bytes, new_run()

    def no_space(path, content):
        if path.name.endswith(".full.mid"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", no_space)
    with pytest.raises(OSError, match="No space left on device: .*000_.*full.mid"):
        complete(run)
    assert not run.folder.finished()
    monkeypatch.undo()
    assert len(complete(run).pieces) == 6
