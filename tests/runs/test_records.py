"""The records of a run: written and read by the same classes, those of earlier versions too."""

import json
from dataclasses import replace

import pytest
from runs.conftest import EARLIER

from neuromusic_hf.disk import from_json, read_json, to_json, write_json
from neuromusic_hf.reports.piece_table import make_piece_table
from neuromusic_hf.runs import (
    LeftOutRecord,
    Manifest,
    PieceRecord,
    RunFolder,
    RunSettings,
    read_run,
)

SHAPES = {
    "settings.json": RunSettings,
    "manifest.json": Manifest,
    "000_0_night.json": PieceRecord,
    "001_1_short.json": LeftOutRecord,
    "002_2_plain.json": PieceRecord,
}


def read(path, shape):
    return read_json(path, shape, "is no test", "Write it again.")


def test_files_of_earlier_are_read_and_written_byte_for_byte(tmp_path):
    assert SHAPES.keys() == {path.name for path in EARLIER.iterdir()}
    for name, shape in SHAPES.items():
        write_json(tmp_path / name, read(EARLIER / name, shape))
        assert (tmp_path / name).read_bytes() == (EARLIER / name).read_bytes(), name


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
