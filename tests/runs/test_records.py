"""The records of a run: written and read by the same classes, those of earlier versions too."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from neuromusic_hf.disk import from_json, read_json, to_json, write_json
from neuromusic_hf.reports.piece_table import make_piece_table
from neuromusic_hf.runs import (
    LeftOutRecord,
    Manifest,
    NoteCounts,
    PieceFiles,
    PieceRecord,
    RunFolder,
    RunSettings,
    read_run,
)
from neuromusic_hf.tokenization import Tally

EARLIER = Path(__file__).with_name("run_of_earlier")
"""The JSON files of a run of three pieces, as they were written before records were dataclasses."""

SHAPES = {
    "settings.json": RunSettings,
    "manifest.json": Manifest,
    "000_0_night.json": PieceRecord,
    "001_1_short.json": LeftOutRecord,
    "002_2_plain.json": PieceRecord,
}


@pytest.fixture
def earlier(tmp_path):
    """A copy of that run, with other files under the names it gives."""
    folder = shutil.copytree(EARLIER, tmp_path / "run")
    for piece in json.loads((folder / "manifest.json").read_text())["pieces"]:
        for name in piece["files"].values():
            (folder / name).touch()
    return folder


def read(path, shape):
    return read_json(path, shape, "is no test", "Write it again.")


def test_files_of_earlier_are_read_and_written_byte_for_byte(tmp_path):
    assert SHAPES.keys() == {path.name for path in EARLIER.iterdir()}
    for name, shape in SHAPES.items():
        write_json(tmp_path / name, read(EARLIER / name, shape))
        assert (tmp_path / name).read_bytes() == (EARLIER / name).read_bytes(), name


def test_a_run_of_earlier_is_read(earlier):
    run = read_run(earlier)
    assert (run.model.name, run.settings.pieces.split, run.settings.output.audio) == ("bundle", "test", 1)
    assert run.settings.continuation.prompt_length == 8
    assert run.settings.continuation.generation == {"do_sample": True, "temperature": 0.9, "top_k": 0, "top_p": 0.95}
    first, last = run.records
    assert run.labels == ["000 0 \u201cnight\u201d", "002 2 <plain>"] and first.stem == "000_0_night"
    assert first == PieceRecord(
        index=0,
        name="0 \u201cnight\u201d",
        files=PieceFiles(
            "000_0_night.prompt.mid",
            "000_0_night.generated.mid",
            "000_0_night.original.mid",
            "000_0_night.full.mid",
            "000_0_night.tokens.txt",
            "000_0_night.png",
            "000_0_night.wav",
        ),
        prompt_tokens=8,
        generated_tokens=4,
        original_tokens=4,
        notes=NoteCounts(16, 14, 14, 30),
        ended_with_eos=False,
        entropy_nats=1.25,
        changed=Tally(10, 9, 8.0, 0.5, dropped_duplicates=1),
        seed=30,
        seconds=0.143,
    )
    assert last.files.audio is None and run.path(last.files.audio) is None and last.entropy_nats is None
    assert run.path(last.files.picture) == earlier / "002_2_plain.png"
    assert run.left_out == [LeftOutRecord(1, "1 short", "too_short", "2 notes")]


def test_a_run_of_earlier_goes_on_and_ends_with_the_same_manifest(earlier):
    folder = RunFolder(earlier)
    settings = read(EARLIER / "settings.json", RunSettings)
    assert [record.index for record in folder.open(settings)] == [0, 1, 2] and folder.finished() == {0, 1, 2}
    (earlier / "manifest.json").unlink()
    folder.write_manifest()
    assert (earlier / "manifest.json").read_bytes() == (EARLIER / "manifest.json").read_bytes()
    with pytest.raises(ValueError, match="model.files: .* there, None now"):
        folder.open(replace(settings, model=replace(settings.model, files=None)))


@pytest.mark.parametrize("name", SHAPES)
def test_what_a_newer_version_adds_is_let_be(name):
    content = json.loads((EARLIER / name).read_text())
    assert from_json({**content, "new": [1]}, SHAPES[name], name) == from_json(content, SHAPES[name], name)


def test_what_a_newer_version_was_asked_for_is_not_gone_on_with(earlier):
    path, settings = earlier / "settings.json", read(EARLIER / "settings.json", RunSettings)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"style": "new"}))
    with pytest.raises(ValueError, match="style: 'new' there, None now"):
        RunFolder(earlier).open(settings)


def test_the_largest_seed_is_recorded_and_read_again(earlier):
    """A run that was asked for it must not fail once all its pieces are continued."""
    seed, folder = 2**64 - 1, RunFolder(earlier)
    settings = read(EARLIER / "settings.json", RunSettings)
    settings = replace(settings, continuation=replace(settings.continuation, seed=seed))
    write_json(earlier / "settings.json", settings)
    folder.write_record(replace(read(earlier / "000_0_night.json", PieceRecord), seed=seed))
    assert folder.open(settings)[0].seed == folder.write_manifest().pieces[0].seed == seed
    run = read_run(earlier)
    assert run.settings.continuation.seed == run.records[0].seed == seed
    assert make_piece_table(run, [{}, {}], [])["seed"].tolist()[:2] == [seed, 30]


def test_older_records_that_say_less_are_read():
    files, notes = (dict.fromkeys(("prompt", "generated", "original"), value) for value in ("a.mid", 3))
    record = from_json({"index": 0, "name": "a", "files": files, "notes": notes}, PieceRecord, "record")
    assert record.changed is record.seed is record.files.full is None
    assert to_json(record)["files"] == files
