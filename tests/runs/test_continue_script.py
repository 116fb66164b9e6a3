"""scripts/continue_midi.py as a user runs it: on files, folders, corpora; stopped half-way; by several processes."""

import json
import os
import shutil
import time
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from music import make_score
from preloaded import run_in_processes, run_in_two_processes, start_script
from symusic import Score
from tiny import ONE_LAYER
from transformers import set_seed

from neuromusic_hf import MidiProcessor, build_model, load_corpus, reports, runs
from neuromusic_hf.metrics import longest_runs
from neuromusic_hf.rendering import read_audio

REPOSITORY = Path(__file__).parents[2]
SCRIPT = str(REPOSITORY / "scripts" / "continue_midi.py")
DYING = REPOSITORY / "tests" / "dying_worker.py"
PARTS = {"prompt", "generated", "original", "full"}
WITHOUT_PICTURES = "--no-save_pictures"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    set_seed(0)
    processor = MidiProcessor.from_tokenization("TSD")
    build_model("llama", processor, context_length=128, **ONE_LAYER).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def processor(bundle):
    return MidiProcessor.from_pretrained(bundle)


@pytest.fixture
def prompts(midi_folder, tmp_path):
    """A folder of six pieces and a file that is no music."""
    folder = tmp_path / "prompts"
    folder.mkdir()
    for index in range(6):
        shutil.copy(midi_folder / f"piece_{index:02d}.mid", folder)
    (folder / "broken.MID").write_bytes(b"MThd")
    return folder


@pytest.fixture
def command(bundle, tmp_path):
    def build(*arguments, output="out"):
        lengths = ["--prompt_length", "64", "--continue_length", "32"]
        return [str(part) for part in (SCRIPT, bundle, *lengths, *arguments, "--output", tmp_path / output)]

    return build


@pytest.fixture
def continue_midi(call_script, command, tmp_path):
    def run(*arguments, output="out"):
        call_script("continue_midi", *command(*arguments, output=output)[1:])
        return tmp_path / output, json.loads((tmp_path / output / "manifest.json").read_text())

    return run


def contents(folder):
    """Bytes of every file; of JSON without the seconds, which differ from run to run."""
    found = {}
    for path in sorted(folder.iterdir()):
        found[path.name] = path.read_bytes()
        if path.suffix == ".json":
            found[path.name] = [line for line in found[path.name].splitlines() if b'"seconds": ' not in line]
    return found


def test_every_piece_of_a_folder_is_continued_or_left_out(continue_midi, prompts, processor):
    output, manifest = continue_midi(prompts)
    assert manifest["continued"] == 6 and sum(manifest["left_out"].values()) == 1
    assert [piece["name"] for piece in manifest["pieces_left_out"]] == ["broken"]
    for piece in manifest["pieces"]:
        scores = {part: Score(output / piece["files"][part]) for part in PARTS}
        assert {part: score.note_num() for part, score in scores.items()} == piece["notes"]
        assert piece["notes"]["full"] == piece["notes"]["prompt"] + piece["notes"]["generated"]
        picture = matplotlib.image.imread(output / piece["files"]["picture"])
        assert min(picture.shape[:2]) > 100 and picture[..., :3].std() > 0.01

        assert piece["prompt_tokens"] == 64 and piece["original_tokens"] == 32
        assert piece["generated_tokens"] == 32 or (piece["ended_with_eos"] and piece["generated_tokens"] < 32)
        assert 0 < piece["entropy_nats"] <= np.log(processor.vocab_size)
        assert piece["seconds"] > 0 and piece["seed"] == 0
        ids = processor.encode(prompts / f"{piece['name']}.mid")
        prompt, whole = (processor.decode(ids[:length]).note_num() for length in (64, 96))
        assert (piece["notes"]["prompt"], piece["notes"]["original"]) == (prompt, whole - prompt)


def test_pieces_that_do_not_go_on_are_left_out(continue_midi, processor, tmp_path):
    notes = next(n for n in range(60) if len(processor.encode(make_score(1, num_notes=n))) > 64)
    for number in (10, notes):
        make_score(1, num_notes=number).dump_midi(tmp_path / f"{number}.mid")
    _, manifest = continue_midi(tmp_path / "10.mid", tmp_path / f"{notes}.mid", WITHOUT_PICTURES)
    assert [piece["name"] for piece in manifest["pieces"]] == [str(notes)]
    assert [(piece["name"], piece["reason"]) for piece in manifest["pieces_left_out"]] == [("10", "too_short")]


def test_audio(continue_midi, prompts):
    pytest.importorskip("midirenderer", reason="midirenderer is not installed (pip install neuromusic_hf[audio])")
    output, manifest = continue_midi(prompts, "--save_audio", 3, WITHOUT_PICTURES)
    rendered = [piece["index"] for piece in manifest["pieces"] if "audio" in piece["files"]]
    assert rendered == [piece["index"] for piece in manifest["pieces"] if piece["index"] < 3]
    assert not any("picture" in piece["files"] for piece in manifest["pieces"])
    audio, _ = read_audio(output / manifest["pieces"][0]["files"]["audio"])
    assert np.abs(audio).max() > 0.03


def test_the_test_split_of_a_corpus(continue_midi, midi_folder, tmp_path):
    archive = shutil.make_archive(tmp_path / "corpus", "zip", midi_folder)
    in_test = load_corpus(archive)["test"]["content_hash"]
    _, manifest = continue_midi(archive, WITHOUT_PICTURES)
    assert manifest["continued"] == len(in_test) > 0
    asked = ["--split_version", "notes-hash-1", "--split_shares", 0.9, 0.06, 0.04, "--max_items", 1]
    _, manifest = continue_midi(archive, WITHOUT_PICTURES, *asked, output="other")
    pieces = manifest["settings"]["pieces"]
    assert (pieces["split_version"], pieces["split_shares"]) == ("notes-hash-1", [0.9, 0.06, 0.04])


def test_the_seed_chooses_the_pieces_and_the_music(continue_midi, midi_folder):
    def run(output, seed, batch_size):
        arguments = ("--max_items", 3, "--seed", seed, "--batch_size", batch_size, WITHOUT_PICTURES)
        folder, manifest = continue_midi(midi_folder, *arguments, output=output)
        assert (
            manifest["settings"]["pieces"]["max_items"] == 3 and manifest["settings"]["continuation"]["seed"] == seed
        )
        return {piece["name"]: (folder / piece["files"]["full"]).read_bytes() for piece in manifest["pieces"]}

    first = run("first", 3, 8)
    assert run("in other batches", 3, 2) == first
    assert run("other seed", 4, 8).keys() != first.keys()


def test_a_clean_test_continues_what_has_no_twin_in_train_and_names_the_rest(continue_midi, leaking_corpus):
    folder, clean = continue_midi(leaking_corpus, WITHOUT_PICTURES, "--clean_test", output="clean")
    assert clean["continued"] == 4 and clean["left_out"] == {"twin_in_train": 2}
    named = [(piece["index"], piece["name"], piece["detail"]) for piece in clean["pieces_left_out"]]
    assert named == [(1, "test 3", "train 3"), (4, "test 7", "train 7")]
    assert clean["settings"]["pieces"]["clean_test"] is True
    _, whole = continue_midi(leaking_corpus, WITHOUT_PICTURES, output="whole")
    assert whole["continued"] == 6 and "clean_test" not in whole["settings"]["pieces"]
    assert [piece["index"] for piece in clean["pieces"]] == [0, 2, 3, 5]
    seeds = {piece["index"]: piece["seed"] for piece in whole["pieces"]}
    assert all(piece["seed"] == seeds[piece["index"]] for piece in clean["pieces"])
    with pytest.raises(ValueError, match="other settings"):
        continue_midi(leaking_corpus, WITHOUT_PICTURES, output="clean")


def test_sampling_and_grammar_can_be_chosen(continue_midi, prompts):
    def run(output, *arguments):
        folder, manifest = continue_midi(prompts, WITHOUT_PICTURES, *arguments, output=output)
        written = {path.name: path.read_bytes() for path in folder.glob("*.full.mid")}
        return written, manifest["settings"]["continuation"]

    sampled, recorded = run("sampled")
    from_all = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    assert recorded["constrained"] and recorded["generation"] == {} and recorded["sampling"] == from_all
    assert run("as before", "--top_p", 1.0)[0] == sampled
    narrow, recorded = run("narrow", "--top_p", 0.05)
    assert recorded["generation"] == {"do_sample": True, "top_p": 0.05} and narrow != sampled
    assert recorded["sampling"] == from_all | {"top_p": 0.05}
    greedy, recorded = run("greedy", "--temperature", 0)
    assert recorded["generation"] == recorded["sampling"] == {"do_sample": False} and greedy != sampled
    assert run("greedy, other seed", "--temperature", 0, "--seed", 1)[0] == greedy
    free, recorded = run("free", "--no-constrained")
    assert not recorded["constrained"] and free != sampled


def test_killed_and_started_again_it_ends_like_an_unbroken_run(continue_midi, command, midi_folder, tmp_path):
    arguments = [midi_folder, "--max_items", 10, "--batch_size", 3]
    if shutil.which("fluidsynth") is None:
        pytest.importorskip("midirenderer", reason="midirenderer is not installed (pip install neuromusic_hf[audio])")
    arguments += ["--save_audio", 2]
    killed = start_script(*command(*arguments, output="killed"), folder=tmp_path, variables={**os.environ}).process
    while killed.exitcode is None and len(list((tmp_path / "killed").glob("[0-9]*.json"))) < 4:
        time.sleep(0.005)
    killed.kill()
    killed.join()
    assert killed.exitcode == -9, "it ended before it was killed"
    assert not (tmp_path / "killed" / "manifest.json").exists()
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("[0-9]*.json")}

    resumed, _ = continue_midi(*arguments, output="killed")
    assert all(path.stat().st_mtime_ns == time for path, time in finished.items())
    unbroken, manifest = continue_midi(*arguments, output="unbroken")
    assert manifest["continued"] == 10
    assert contents(resumed) == contents(unbroken)


def test_two_processes_write_what_one_writes(continue_midi, command, prompts, tmp_path):
    variables = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    script, *arguments = command(prompts, "--batch_size", 2, output="two")
    for ended in run_in_two_processes(script, *arguments, folder=tmp_path, variables=variables):
        assert ended.returncode == 0, ended.stderr[-3000:]
    alone, manifest = continue_midi(prompts, "--batch_size", 2, output="one")
    assert manifest["continued"] == 6
    assert contents(tmp_path / "two") == contents(alone)


def test_a_process_that_dies_ends_the_other(command, prompts, tmp_path):
    dies = ("neuromusic_hf.runs.run_writer", "RunWriter.write_share")
    arguments = command(prompts, WITHOUT_PICTURES)
    variables = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    first, second = run_in_processes(2, DYING, *dies, *arguments, folder=tmp_path, variables=variables, timeout=60)
    assert second.returncode == 9, second.stderr[-3000:]
    assert first.returncode not in (0, None), first.stderr[-3000:]
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_another_run_is_refused_unless_it_may_overwrite(continue_midi, prompts):
    folder, _ = continue_midi(prompts, WITHOUT_PICTURES)
    before = contents(folder)
    with pytest.raises(ValueError, match="continuation.seed: 0 there, 7 now"):
        continue_midi(prompts, WITHOUT_PICTURES, "--seed", 7)
    assert contents(folder) == before
    _, manifest = continue_midi(prompts, WITHOUT_PICTURES, "--seed", 7, "--overwrite")
    assert manifest["settings"]["continuation"]["seed"] == 7
    assert contents(folder).keys() == before.keys() and contents(folder) != before


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (["nowhere.mid"], "nowhere.mid"),
        (["nowhere"], "'nowhere' is no corpus"),
        (["{empty}"], "no MIDI file in|is no corpus"),
        (["{prompts}", "--continue_length", 0], "continue_length=0"),
        (["{prompts}", "--batch_size", 0], "batch_size=0"),
        (["{prompts}", "--max_items", 0], "max_items=0"),
        (["{prompts}", "--top_p", 0], "top_p=0"),
        (["{prompts}", "--continue_length", 65], "129 tokens.*128"),
        (["{prompts}", "--save_audio", "--soundfont", "none.sf2"], "none.sf2"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(continue_midi, prompts, tmp_path, wrong, error):
    (tmp_path / "empty").mkdir()
    places = {"prompts": prompts, "empty": tmp_path / "empty"}
    with pytest.raises((ValueError, OSError), match=error):
        continue_midi(*[str(argument).format(**places) for argument in wrong])
    assert not (tmp_path / "out").exists()


def test_options_of_the_pieces_are_not_of_the_guard(continue_midi, bundle, prompts, midi_folder):
    """All that the model has learned is guarded, whatever share of its corpus is continued."""
    corpus = {"name": midi_folder.name, "splits": "families-1", "split_shares": [0.8, 0.1, 0.1]}
    (bundle / "run.json").write_text(json.dumps({"corpora": [corpus]}))
    try:
        asked = ("--split", "test", "--split_shares", 0.4, 0.3, 0.3, "--max_items", 1, WITHOUT_PICTURES)
        _, manifest = continue_midi(midi_folder, *asked, "--copy_guard", midi_folder)
        guard = manifest["settings"]["continuation"]["copy_guard"]
        assert guard["pieces"] == len(load_corpus(str(midi_folder), split_shares=(0.8, 0.1, 0.1))["train"])
        of_pieces = ("--data_dir", prompts, "--max_items", 1, WITHOUT_PICTURES)
        _, manifest = continue_midi(prompts, *of_pieces, "--copy_guard", midi_folder, output="named")
        assert manifest["settings"]["continuation"]["copy_guard"] == guard
    finally:
        (bundle / "run.json").unlink()


def test_a_guarded_run_records_its_guard_and_goes_on_with_no_other(continue_midi, prompts, midi_folder):
    guard = ("--copy_guard", midi_folder, "--max_run", 2)
    folder, manifest = continue_midi(prompts, WITHOUT_PICTURES, *guard)
    recorded = manifest["settings"]["continuation"]["copy_guard"]
    assert (recorded["corpus"], recorded["max_run"], recorded["pieces"]) == (str(midi_folder), 2, 32)
    training = load_corpus(str(midi_folder))["train"]["midi"]
    generated = [Score(folder / piece["files"]["generated"]) for piece in manifest["pieces"]]
    assert longest_runs(training, generated).max() <= 2
    sums = {name: sum(piece["copy_guard"][name] for piece in manifest["pieces"]) for name in manifest["copy_guard"]}
    assert manifest["copy_guard"] == sums and sums["masked"] > 0 == sums["let_through"]
    page = reports.write_report(run := runs.read_run(folder), reports.score_run(run), folder / "report")
    assert f"{sums['masked']} times it ruled out the next note of such a run" in page.read_text()
    assert json.loads((folder / "report" / "scores.json").read_text())["copy_guard"]["masked"] == sums["masked"]
    for other in (("--copy_guard", midi_folder, "--max_run", 3), ()):
        with pytest.raises(ValueError, match="holds a run with other settings:\n.*copy_guard"):
            continue_midi(prompts, WITHOUT_PICTURES, *other)
    with pytest.raises(ValueError, match="max_run=3 goes with copy_guard"):
        continue_midi(prompts, WITHOUT_PICTURES, "--max_run", 3)
