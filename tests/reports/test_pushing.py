"""A run is pushed by one command: its bundle, with what its report says of it."""

import logging
import shutil

import pytest
from huggingface_hub import HfApi
from safetensors.torch import load_file, save_file

from neuromusic_hf.bundles import bundle_files, save_bundle
from neuromusic_hf.default_bundle import DEFAULT_BUNDLE
from neuromusic_hf.reports import push_run

REPOSITORY = "alice/x"
EXAMPLES = {"examples/best.mid", "examples/best.png", "examples/median.mid", "examples/worst.png"}


@pytest.fixture
def run(bundle, scored, tmp_path):
    """The folder of a training run, with a report on its model, and with much that is nobody's business."""
    folder = tmp_path / "x"
    shutil.copytree(bundle, folder / "bundle")
    shutil.copytree(scored.folder, folder / "report")
    shutil.copytree(bundle, folder / "checkpoint-2")
    (folder / "checkpoint-2" / "optimizer.pt").write_text("x")
    return folder


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_script_pushes_the_bundle_with_its_report(hub, run, call_script, tmp_path):
    call_script("push_bundle", run, REPOSITORY, "--private", "--tag", "v1", "--commit_message", "First")
    pushed = hub.files(REPOSITORY)
    assert {"config.json", "model.safetensors", "processor_config.json", "scores.json", *EXAMPLES} <= pushed.keys()
    assert pushed == files_of(run / "bundle") == hub.files(REPOSITORY, "v1") and hub.is_private(REPOSITORY)
    card = pushed["README.md"].decode()
    assert "pitch_kl" in card and "](examples/best.png)" in card and "**median**" in card and REPOSITORY in card
    assert "<script" not in card and str(tmp_path) not in card
    assert HfApi().list_repo_commits(REPOSITORY)[0].title == "First"


def test_uploading_the_folder_of_the_bundle_leads_to_the_same_files(hub, run):
    push_run(run, REPOSITORY)
    api = HfApi()
    api.create_repo("alice/y")
    api.upload_folder(repo_id="alice/y", folder_path=run / "bundle")  # as `hf upload` does
    assert hub.files("alice/y") == hub.files(REPOSITORY)
    assert {*bundle_files(run / "bundle")} == {*hub.files(REPOSITORY)}


def test_scores_of_another_model_are_not_pushed(hub, run, caplog):
    weights = run / "bundle" / "model.safetensors"
    save_file({name: value + 1 for name, value in load_file(weights).items()}, weights, {"format": "pt"})
    with pytest.raises(ValueError, match="another model"):
        push_run(run, REPOSITORY, run / "report")
    assert not hub.store.repositories
    with caplog.at_level(logging.WARNING):
        push_run(run, REPOSITORY)
    assert "left out" in caplog.text and "scores.json" not in hub.files(REPOSITORY)


def test_a_report_that_is_not_there_is_refused(hub, run, tmp_path):
    with pytest.raises(FileNotFoundError, match="scores.json"):
        push_run(run, REPOSITORY, tmp_path / "nothing")
    (run / "report" / "scores.json").write_text("[]")
    with pytest.raises(ValueError, match="does not hold the scores"):
        push_run(run, REPOSITORY, run / "report")


def test_a_run_that_has_not_ended_is_refused(hub, run):
    shutil.rmtree(run / "bundle")
    shutil.rmtree(run / "report")
    with pytest.raises(ValueError, match="has not ended"):
        push_run(run, REPOSITORY)
    assert not hub.store.repositories


def test_a_run_of_the_release_before_is_pushed_by_its_folder(hub, tiny_model, processor_of, tmp_path):
    save_bundle(tiny_model("REMI"), processor_of("REMI"), tmp_path / "old")
    (tmp_path / "old" / "checkpoint-2").mkdir()
    (tmp_path / "old" / "checkpoint-2" / "model.safetensors").write_bytes(b"x")
    (tmp_path / "old" / "training_args.bin").write_bytes(b"x")
    push_run(tmp_path / "old", REPOSITORY)
    assert {"training_args.bin", "checkpoint-2/model.safetensors"}.isdisjoint(hub.files(REPOSITORY))


def test_the_bundle_of_the_package_is_pushed_and_stays_as_it_is(hub, scored, call_script):
    before = files_of(DEFAULT_BUNDLE)
    call_script("push_bundle", "default", REPOSITORY)
    pushed = hub.files(REPOSITORY)
    assert {"model.safetensors", "run.json", "recipe.yaml", "midi_infilling.py"} <= pushed.keys()
    assert pushed["model.safetensors"] == before["model.safetensors"]
    assert f'model="{REPOSITORY}"' in pushed["README.md"].decode()
    with pytest.raises(ValueError, match="has its scores: push it without"):
        push_run("default", REPOSITORY, scored.folder)
    assert files_of(DEFAULT_BUNDLE) == before
