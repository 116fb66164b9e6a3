"""The bundle that comes with the package, made of a trained one: licence, scores and card with it."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from full_bundle import RECIPE, RUN, add_records

from neuromusic_hf.bundles import files_hash, weights_hash
from neuromusic_hf.hub import read_card
from neuromusic_hf.reports import released_bundle
from neuromusic_hf.reports.released_bundle import release_bundle

CORPORA = [
    {"name": "bach", "licence": "other", "splits": "families-1"},
    {"name": "songs.zip", "licence": None, "splits": "families-1"},
]
WIDE = {
    "optimizer_steps": 4300,
    "hardware": {"gpus": ["H100"]},
    "corpora": CORPORA,
    "narrowed": {"from": 64, "to": 48},
}


@pytest.fixture
def trained(bundle, tmp_path):
    """A bundle that a run left, which went on from a narrowed one."""
    folder = shutil.copytree(bundle, tmp_path / "trained")
    base = {"name": "narrow", "revision": "f" * 64, "trained": WIDE}
    (folder / "run.json").write_text(json.dumps(RUN | {"corpora": CORPORA, "base_model": base}))
    (folder / "recipe.yaml").write_text(json.dumps(RECIPE))
    return folder


def test_its_card_tells_licence_data_and_both_stages(trained, tmp_path):
    release_bundle(trained, licences={"songs.zip": "cc0-1.0"}, folder=tmp_path / "default")
    text = (tmp_path / "default" / "README.md").read_text()
    metadata, sections = read_card(text)
    assert metadata["license"] == "apache-2.0" and "Apache License" in (tmp_path / "default" / "LICENSE").read_text()
    said = {section.name: section.text for section in sections}
    assert "| bach | other |" in said["data"] and "| songs.zip | cc0-1.0 |" in said["data"]
    assert "3,000 optimizer steps by 2 processes on 2 CPU cores" in said["training"]
    assert "It went on from narrow (weights `ffffffffffff`), trained on bach + songs.zip in 4,300" in said["training"]
    assert "narrowed from 64 to 48 neurons" in said["training"]
    assert 'pipeline("midi-continuation")' in said["use"] and "model=" not in said["use"]
    assert str(tmp_path) not in text


def test_scores_of_it_stand_in_its_card_and_of_others_are_refused(trained, scored, tmp_path):
    """The report was made with the weights as float32, and is told here that it is on those that ship."""
    folder = tmp_path / "default"
    release_bundle(trained, folder=folder)
    with pytest.raises(ValueError, match="another model"):
        release_bundle(trained, scored.folder, folder=folder)

    home = shutil.copytree(scored.folder.parent, tmp_path / "run")
    model = scored.run.model
    changes = {
        model.name: str(folder),
        model.revision: weights_hash(folder),
        model.files: files_hash(folder),
        str(scored.folder.parent): str(home),
    }
    for path in home.rglob("*.json"):
        text = path.read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        path.write_text(text)
    before = (folder / "model.safetensors").read_bytes()
    release_bundle(trained, home / "report", folder=folder)
    assert (folder / "model.safetensors").read_bytes() == before
    assert json.loads((folder / "scores.json").read_text())["scores"] and not (folder / "examples").exists()
    card = (folder / "README.md").read_text()
    assert "## Scores" in card and str(tmp_path) not in card

    release_bundle(trained, folder=folder)
    assert "## Scores" not in (folder / "README.md").read_text() and not (folder / "scores.json").exists()


def test_words_of_the_owner_stay(trained, tmp_path):
    release_bundle(trained, folder=tmp_path / "default")
    path = tmp_path / "default" / "README.md"
    path.write_text(path.read_text().replace("**Licence.**", "Ours. **Licence.**"))
    release_bundle(trained, folder=tmp_path / "default")
    assert "Ours. **Licence.**" in path.read_text()


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(trained, folder, **asked):
    """What a release says that is refused; it leaves the bundle that is there, and nothing beside it."""
    was_there = folder.exists()
    (trained / "config.json").write_text(json.dumps(json.loads((trained / "config.json").read_text()) | {"new": 1}))
    before = contents(folder.parent)
    with pytest.raises(ValueError) as error:
        release_bundle(trained, folder=folder, **asked)
    assert contents(folder.parent) == before and folder.exists() == was_there
    return str(error.value)


def test_nothing_stays_of_the_bundle_that_was_there_but_what_is_the_owners(trained, tmp_path):
    folder = tmp_path / "default"
    folder.mkdir()
    add_records(folder)
    for name in ("model-00001-of-00002.safetensors", "model.safetensors.index.json", "notes.txt"):
        (folder / name).write_bytes(b"other")
    (trained / "recipe.yaml").unlink()
    release_bundle(trained, folder=folder)
    again = tmp_path / "again"
    release_bundle(trained, folder=again)
    assert {*contents(folder)} == {*contents(again), Path("notes.txt")}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "default", "trained"]


@pytest.mark.parametrize("licences", [{"other.zip": "mit"}, {"bach": "mit"}])
@pytest.mark.parametrize("there", [False, True])
def test_a_licence_of_no_corpus_or_of_one_that_has_another_is_refused(trained, tmp_path, licences, there):
    if there:
        release_bundle(trained, folder=tmp_path / "default")
    said = refused(trained, tmp_path / "default", licences=licences)
    assert "without a licence, but of bach, songs.zip" in said


def test_what_is_too_large_is_refused(trained, tmp_path, monkeypatch):
    release_bundle(trained, folder=tmp_path / "default")
    monkeypatch.setattr(released_bundle, "MOST_BYTES", 10_000)
    assert "limit 10,000" in refused(trained, tmp_path / "default")


def test_a_report_on_another_model_changes_nothing(trained, scored, tmp_path):
    release_bundle(trained, folder=tmp_path / "default")
    said = refused(trained, tmp_path / "default", report=scored.folder)
    assert "another model" in said and f"continue with {tmp_path / 'default'}" in said


def test_a_bundle_is_not_made_of_itself(trained):
    before = contents(trained)
    with pytest.raises(ValueError, match="would be replaced: name the run"):
        release_bundle(trained, folder=trained.parent / "." / trained.name)
    assert contents(trained) == before


def test_the_command_line_says_whose_licence(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["released_bundle", str(trained), "--licence", "songs.zip"])
    with pytest.raises(SystemExit):
        released_bundle.main()
    assert "NAME=LICENCE" in capsys.readouterr().err
