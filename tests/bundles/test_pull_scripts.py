"""Scripts take the id and the revision of a bundle on the Hub, and runs name it by id and commit."""

import json

import pytest

from neuromusic_hf.bundles import ModelIdentity, save_bundle
from neuromusic_hf.reports.run_model import load_run_model
from neuromusic_hf.runs import read_run

NAME = "alice/music"
LENGTHS = ("--prompt_length", 16, "--continue_length", 8, "--max_items", 2, "--no-save_pictures")


@pytest.fixture
def commits(hub, tmp_path, tiny_model, processor_of) -> dict[str, str]:
    """Of a repository whose branches hold models of two tokenizers."""
    made = {}
    for revision, name in (("v1", "REMI"), ("main", "TSD")):
        save_bundle(tiny_model(name), processor_of(name), tmp_path / name)
        files = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        made[revision] = hub.put(NAME, files)
        hub.store.repositories["model", NAME].tags[revision] = made[revision]
    return made


def test_a_run_with_a_model_of_the_hub_is_made_and_scored_and_all_again_offline(
    hub, commits, offline, midi_folder, tmp_path, call_script
):
    def continue_and_score(name, *more):
        call_script("continue_midi", NAME, midi_folder, "--revision", "v1", *LENGTHS, "--output", tmp_path / name)
        call_script("score_continuations", tmp_path / name, "--output", tmp_path / f"{name}_report", "--num_proc", 1)
        settings = json.loads((tmp_path / name / "settings.json").read_text())
        assert settings["model"] == {"name": NAME, "revision": commits["v1"], "files": None}
        scores = json.loads((tmp_path / f"{name}_report" / "scores.json").read_text())
        assert scores["model"]["tokenization"] == "REMI" and scores["token_errors"]
        tokens = sorted((tmp_path / name).glob("*.tokens.txt"))
        return [path.read_text() for path in tokens or sorted((tmp_path / name).glob("*.mid"))]

    first = continue_and_score("first")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "hub_cache").rglob("*")}
    offline()
    hub.requests.clear()
    assert continue_and_score("second") == first and not hub.requests
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "hub_cache").rglob("*")} == before
    identity = read_run(tmp_path / "second").model
    assert identity == ModelIdentity(NAME, commits["v1"]) and not identity.is_of_folder
    assert load_run_model(read_run(tmp_path / "second")).processor.tokenization == "REMI"


def test_a_revision_goes_with_what_is_on_the_hub(commits, tmp_path, midi_folder, call_script):
    for arguments, named in (
        ((tmp_path / "REMI", midi_folder, "--revision", "v1"), "REMI"),
        ((NAME, midi_folder, "--corpus_revision", "v1"), str(midi_folder)),
    ):
        with pytest.raises(ValueError, match=f"(?s)evision 'v1'.*{named}"):
            call_script("continue_midi", *arguments, *LENGTHS, "--output", tmp_path / "out")
