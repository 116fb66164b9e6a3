"""scripts/infill_midi.py as a user runs it: on files, folders, corpora; stopped half-way."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from music import make_score
from preloaded import start_script
from symusic import Note, Score, Track
from tiny import ONE_LAYER
from transformers import set_seed

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.music import gather_notes
from neuromusic_hf.runs import read_infill_run

SCRIPT = str(Path(__file__).parents[2] / "scripts" / "infill_midi.py")
WITHOUT_PICTURES = "--no-save_pictures"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    set_seed(0)
    processor = MidiProcessor.from_tokenization("REMI")
    model = build_model("llama", processor, context_length=512, **ONE_LAYER)
    model.config.infill_share = 0.5
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five pieces of 15 bars, one that is too short, and a file that is no music."""
    folder = tmp_path_factory.mktemp("pieces")
    for seed in range(5):
        make_score(seed, num_notes=120).dump_midi(folder / f"piece {seed}.mid")
    short = Score(480)
    short.tracks.append(Track())
    short.tracks[0].notes.append(Note(0, 480, 60, 80))
    short.dump_midi(folder / "short.mid")
    (folder / "broken.MID").write_bytes(b"MThd")
    return folder


@pytest.fixture
def command(bundle, tmp_path):
    def build(*arguments, output="out"):
        lengths = ["--context_bars", 2, "--max_new_tokens", 100]
        return [str(part) for part in (SCRIPT, bundle, *arguments, *lengths, "--output", tmp_path / output)]

    return build


@pytest.fixture
def infill_midi(call_script, command, tmp_path):
    def run(*arguments, output="out"):
        call_script("infill_midi", *command(*arguments, output=output)[1:])
        return read_infill_run(tmp_path / output)

    return run


def contents(folder):
    """Bytes of every file; of JSON without the seconds that batches took."""
    found = {}
    for path in sorted(folder.iterdir()):
        found[path.name] = path.read_bytes()
        if path.suffix == ".json":
            found[path.name] = [line for line in found[path.name].splitlines() if b'"seconds": ' not in line]
    return found


def rows(score, start, end, program):
    """Notes of the program from one tick to another, and all others."""
    notes = gather_notes(score)
    columns = (notes.onset, notes.program, notes.pitch, notes.duration, notes.velocity)
    every = sorted(zip(*(values.tolist() for values in columns), strict=True))
    inside = [row for row in every if start <= row[0] < end and row[1] == program]
    return inside, [row for row in every if row not in inside]


def test_a_folder_is_infilled_and_all_else_stays(infill_midi, folder):
    run = infill_midi(folder, "--bars", 3, 5, "--instruments", "Acoustic Bass", "--seed", 1)
    assert [record.name for record in run.records] == [f"piece {seed}" for seed in range(5)]
    assert {record.name: record.reason for record in run.left_out} == {"short": "no_such_bars", "broken": "unreadable"}
    assert run.settings.infilling.instruments == ["Acoustic Bass"] and run.settings.infilling.sampling["do_sample"]
    for infill in run.infills():
        (span,) = infill.take.spans
        assert (span.bars, span.programs, infill.take.seed) == ((3, 5), [32], 1)
        old, kept = rows(infill.original, *span.ticks, 32)
        new, kept_too = rows(infill.infilled, *span.ticks, 32)
        assert kept == kept_too and old != new
        assert (len(old), len(new)) == (span.removed_notes, span.new_notes)
        assert len(new) == infill.new.note_num() and len(old) == infill.removed.note_num()
        assert run.path(infill.take.files.picture).stat().st_size > 10_000


def test_spans_are_drawn_in_a_corpus(infill_midi, midi_folder, tmp_path):
    archive = shutil.make_archive(tmp_path / "corpus", "zip", midi_folder)
    run = infill_midi(archive, "--span_bars", 2, "--draw_program", "--max_items", 3, WITHOUT_PICTURES)
    assert len(run.records) == 3 and run.settings.pieces.split == "test"
    spans = [take.spans[0] for record in run.records for take in record.takes]
    assert all(span.bars[1] - span.bars[0] == 2 and span.removed_notes and len(span.programs) == 1 for span in spans)
    assert len({span.bars for span in spans}) > 1


def test_killed_and_started_again_it_ends_like_an_unbroken_run(infill_midi, command, folder, tmp_path):
    arguments = [folder, "--span_bars", 2, "--batch_size", 2, "--num_return_sequences", 2]
    killed = start_script(*command(*arguments, output="killed"), folder=tmp_path, variables={**os.environ}).process
    while killed.exitcode is None and len(list((tmp_path / "killed").glob("[0-9]*.json"))) < 3:
        time.sleep(0.005)
    killed.kill()
    killed.join()
    assert killed.exitcode == -9, "it ended before it was killed"
    assert not (tmp_path / "killed" / "manifest.json").exists()
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("[0-9]*.json")}

    resumed = infill_midi(*arguments, output="killed")
    assert all(path.stat().st_mtime_ns == time for path, time in finished.items())
    assert len(resumed.records) == 5 and all(len(record.takes) == 2 for record in resumed.records)
    assert contents(resumed.folder) == contents(infill_midi(*arguments, output="unbroken").folder)


def test_another_run_is_refused_unless_it_may_overwrite(infill_midi, folder):
    arguments = [folder / "piece 0.mid", WITHOUT_PICTURES]
    first = infill_midi(*arguments, "--bars", 2, 3)
    with pytest.raises(ValueError, match="infilling.bars"):
        infill_midi(*arguments, "--bars", 2, 4)
    again = infill_midi(*arguments, "--bars", 2, 4, "--overwrite")
    assert contents(again.folder).keys() == contents(first.folder).keys()
    assert again.settings.infilling.bars == [(2, 4)]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (["{folder}"], "Say which bars"),
        (["{folder}", "--bars", 3, 3], "bars"),
        (["{folder}", "--bars", 3, 6, "--bars", 5, 8], "bars"),
        (["{folder}", "--bars", 3, 6, "--span_bars", 2], "give one"),
        (["{folder}", "--bars", 3, 5, "--instruments", "Banjoo"], "Banjoo"),
        (["{folder}", "--bars", 3, 5, "--pitch_range", 70, 60], "pitch_range"),
        (["{folder}", "--bars", 3, 5, "--temperature", -1], "temperature=-1"),
        (["{folder}", "--span_bars", 2, "--max_items", 0], "max_items=0"),
        (["nowhere.mid", "--span_bars", 2], "nowhere.mid"),
        (["{folder}", "--span_bars", 2, "--split_shares", 1, 1, 1], "split_shares"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(infill_midi, folder, tmp_path, wrong, error):
    with pytest.raises((ValueError, OSError), match=error):
        infill_midi(*[str(argument).format(folder=folder) for argument in wrong])
    assert not list(tmp_path.glob("out/*"))


def test_a_bundle_that_was_never_trained_for_it_says_how(call_script, bundle, folder, tmp_path):
    untrained = shutil.copytree(bundle, tmp_path / "untrained")
    config = json.loads((bundle / "config.json").read_text())
    (untrained / "config.json").write_text(json.dumps({**config, "infill_share": 0.0}))
    with pytest.raises(ValueError, match="--infill_share"):
        call_script("infill_midi", untrained, folder, "--bars", 3, 5, "--output", tmp_path / "out")
