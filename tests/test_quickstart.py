"""What `make quickstart` runs, run: on few files, with a tiny bundle in place of the one that comes along."""

import re
import shlex
import shutil
import subprocess

import pytest
import torch
from documents import REPOSITORY
from html_page import Page
from music import make_score
from preloaded import run_script
from tiny import ONE_LAYER

from neuromusic_hf import MidiProcessor, build_model, load_corpus
from neuromusic_hf.bundles import save_bundle
from neuromusic_hf.runs import read_run, row_pieces

LAUNCH = re.compile(r"\S*/accelerate launch --config_file accelerate_configs/cpu.yaml ")
SMALLER = {
    "scripts/continue_midi.py": "--prompt_length 64 --continue_length 16 --save_audio 1",
    "scripts/train.py": "--max_steps 2 --eval_steps 1 --save_steps 1 --num_proc 1 --augmentation_variants 0",
}
"""Options that go before those of the commands."""
SHARES = (0.7, 0.15, 0.15)


def quickstart(folder, corpus):
    """Runs what make would, without what sets up or only speaks, up to what fails; gives all that ended."""
    made = ["make", "--no-print-directory", "--dry-run", "--assume-old", ".venv/ready-audio"]
    made += ["quickstart", f"CORPUS={corpus}"]
    lines = subprocess.run(made, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    ended = []
    for line in lines.replace("\\\n", " ").splitlines():
        if line.startswith("echo "):
            continue
        _, script, *arguments = shlex.split(LAUNCH.sub("python ", line))
        arguments += SMALLER.get(script, "").split()
        ended.append(run_script(script, *arguments, folder=folder, variables={"ACCELERATE_USE_CPU": "true"}))
        if ended[-1].returncode:
            break
    return ended


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, midi_folder):
    """A folder that looks like the checkout; its corpus is called `my midi`."""
    folder = tmp_path_factory.mktemp("workplace")
    for name in ("scripts", "recipes", "accelerate_configs"):
        (folder / name).symlink_to(REPOSITORY / name)
    shutil.copytree(midi_folder, folder / "my midi")
    torch.manual_seed(0)
    processor = MidiProcessor.from_tokenization("REMI")
    save_bundle(build_model("llama", processor, context_length=1024, **ONE_LAYER), processor, folder / "default")
    return folder


@pytest.fixture(scope="module")
def done(workplace):
    """The folder of a quickstart that has ended."""
    ended = quickstart(workplace, "my midi")
    assert [one.returncode for one in ended] == [0] * 6, ended[-1].stderr[-3000:]
    return workplace / "runs/quickstart"


def test_the_bundle_is_continued_with_before_and_after_it_was_fine_tuned(workplace, done):
    before, after = read_run(done / "before"), read_run(done / "continuations")
    assert [run.model.name for run in (before, after)] == ["default", "runs/quickstart/bundle"]
    assert before.settings.pieces == after.settings.pieces and before.labels == after.labels
    test = load_corpus(workplace / "my midi", split_shares=SHARES)["test"]
    assert len(before.records) == min(8, len(test)) and before.settings.pieces.split == "test"
    assert all(record.files.picture for run in (before, after) for record in run.records)


def test_the_pieces_are_none_that_the_bundle_was_fine_tuned_on(workplace, done):
    corpus = load_corpus(workplace / "my midi", split_shares=SHARES)
    pieces = {record.name for record in read_run(done / "continuations").records}
    names = {split: {piece.name for piece in row_pieces(rows)} for split, rows in corpus.items()}
    assert pieces and pieces <= names["test"] and not pieces & (names["train"] | names["validation"])


def test_before_and_after_stand_on_one_page(done):
    page = Page((done / "comparison/comparison.html").read_text())
    told = (done / "comparison/comparison.md").read_text()
    for text in (page.text, told):
        assert re.search(r"Nats per note on validation: [\d.]+ before training, [\d.]+ after step", text)
        assert "default, llama, REMI" in text and "quickstart" in text
        assert "cannot be compared" not in text
    assert len(page.attributes("article")) == 3 and len(page.attributes("audio")) == 6
    assert len(page.attributes("img")) == 2 + 3 * 3, "scores, shared runs, and rolls of three pieces"


def test_files_that_are_all_too_short_are_refused_before_training(workplace):
    folder = workplace / "short"
    folder.mkdir()
    for seed in range(8):
        make_score(seed, num_notes=8).dump_midi(folder / f"{seed}.mid")
    (ended,) = quickstart(workplace, folder.name)
    assert ended.returncode == 1
    assert re.search(r"No piece was continued. Left out: too_short \(\d, as 000 .*: \d+ tokens", ended.stderr)


def test_too_few_files_are_refused(workplace):
    folder = workplace / "few"
    folder.mkdir()
    for path in sorted((workplace / "my midi").iterdir())[:2]:
        shutil.copy(path, folder)
    (ended,) = quickstart(workplace, folder.name)
    assert ended.returncode == 1 and "Corpus 'few': the split test would be empty. There are 2" in ended.stderr
