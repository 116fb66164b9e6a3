"""Finished runs are read, those of earlier versions too; broken ones are refused, and the place is named."""

import json
import shutil

import pytest

from neuromusic_hf.runs import LeftOutRecord, NoteCounts, PieceFiles, PieceRecord, read_run
from neuromusic_hf.tokenization import Tally


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


def no_manifest(folder):
    (folder / "manifest.json").unlink()


def half_a_manifest(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text()[:200])


def another_json(folder):
    (folder / "manifest.json").write_text("[]")


def files_elsewhere(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"000_', '"../000_'))


def lost_file(folder):
    next(folder.glob("*.generated.mid")).unlink()


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (no_manifest, FileNotFoundError, "finished run"),
        (half_a_manifest, ValueError, "not the manifest"),
        (another_json, ValueError, "not the manifest"),
        (files_elsewhere, ValueError, "its own folder"),
        (lost_file, FileNotFoundError, "lacks 1 files.*generated.mid"),
    ],
)
def test_a_broken_run_is_refused(earlier, harm, error, message):
    harm(earlier)
    with pytest.raises(error, match=message):
        read_run(earlier)
    shutil.rmtree(earlier)
    with pytest.raises(FileNotFoundError, match="There is no"):
        read_run(earlier)


def changed(*keys, value):
    """Gives the value at these keys of the manifest another."""

    def harm(folder):
        path = folder / "manifest.json"
        content = place = json.loads(path.read_text())
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        path.write_text(json.dumps(content))

    return harm


SHAPES = {
    "settings": (changed("settings", value=[]), r"settings is \[\], not an object"),
    "model": (changed("settings", "model", value="gpt2"), "settings.model is 'gpt2', not an object"),
    "revision": (changed("settings", "model", "revision", value=None), "settings.model.revision is None, not text"),
    "no name": (changed("settings", "model", "name", value=""), "must name a model"),
    "lengths": (changed("settings", "continuation", value={}), "settings.continuation lacks 'prompt_length'"),
    "length": (changed("settings", "continuation", "prompt_length", value=0), "prompt_length=0 must be at least 1"),
    "sources": (changed("settings", "pieces", "sources", value="a"), "settings.pieces.sources is 'a', not a list"),
    "soundfont": (changed("settings", "output", "soundfont", value=3), "settings.output.soundfont is 3, not text"),
    "pieces": (changed("pieces", value={}), "pieces is {}, not a list"),
    "piece": (changed("pieces", 0, value="a"), r"pieces\[0\] is 'a', not an object"),
    "files": (changed("pieces", 0, "files", value=["a"]), r"pieces\[0\].files is \['a'\], not an object"),
    "file": (changed("pieces", 0, "files", "prompt", value=1), r"pieces\[0\].files.prompt is 1, not text"),
    "no file": (changed("pieces", 0, "files", value={}), r"pieces\[0\].files lacks 'prompt'"),
    "notes": (changed("pieces", 0, "notes", value={}), r"pieces\[0\].notes lacks 'prompt'"),
    "index": (changed("pieces", 0, "index", value="0"), r"pieces\[0\].index is '0', not a whole number"),
    "twice": (changed("pieces_left_out", 0, "index", value=0), "number each piece"),
    "negative": (changed("pieces", 0, "index", value=-1), "number each piece"),
    "name": (changed("pieces", 0, "name", value=None), r"pieces\[0\].name is None, not text"),
    "entropy": (changed("pieces", 0, "entropy_nats", value="low"), "entropy_nats is 'low', not a number"),
    "seed": (changed("pieces", 0, "seed", value=10**20), "seed is 100000000000000000000, not a whole number"),
    "reason": (changed("pieces_left_out", 0, "reason", value=3), r"pieces_left_out\[0\].reason is 3, not text"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_manifest_of_another_shape_names_the_place(earlier, name):
    harm, message = SHAPES[name]
    harm(earlier)
    with pytest.raises(ValueError, match=f"{earlier}.*{message}"):
        read_run(earlier)
