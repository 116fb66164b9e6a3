"""Runs, scores and embeddings of a stranger: nothing is read but what lies beside them."""

import json
import shutil
import struct

import numpy as np
import pandas as pd
import pytest
from hostile.conftest import change
from music import make_score
from safetensors.numpy import save_file

from neuromusic_hf.metrics.embedding import HarmonyEmbedding
from neuromusic_hf.music import midi_bytes
from neuromusic_hf.reports import showcase
from neuromusic_hf.reports.run_model import NotAvailable, load_run_model
from neuromusic_hf.runs import read_run

PARTS = ("prompt", "generated", "original")


@pytest.fixture
def run(tmp_path):
    """A run of a stranger, who names what was not there."""
    folder = tmp_path / "run"
    folder.mkdir()
    for part in PARTS:
        (folder / f"000_a.{part}.mid").write_bytes(midi_bytes(make_score(1)))
    files = {part: f"000_a.{part}.mid" for part in PARTS}
    piece = {"index": 0, "name": "a", "files": files, "notes": dict.fromkeys(PARTS, 1)}
    settings = {"model": {"name": "gone/away", "revision": "0" * 64}}
    manifest = {"settings": settings, "pieces": [piece], "pieces_left_out": []}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_the_honest_one_is_read(run):
    assert read_run(run).labels == ["000 a"]


@pytest.mark.parametrize("part", [*PARTS, "full", "tokens", "picture", "audio"])
@pytest.mark.parametrize("name", ["../secret.json", "{secret}", "..", ".", "", "sub/../../secret.json", "~/x"])
def test_a_manifest_names_files_beside_it(part, name, run, secret, refused):
    change(run / "manifest.json", "pieces", 0, "files", **{part: name.format(secret=secret)})
    with refused("run"):
        read_run(run)


@pytest.mark.parametrize("part", ["prompt", "picture", "audio"])
def test_links_of_a_run_lead_nowhere_else(part, run, secret, refused):
    (run / "000_a.link").symlink_to(secret)
    change(run / "manifest.json", "pieces", 0, "files", **{part: "000_a.link"})
    with refused(str(run / "000_a.link"), "link"):
        read_run(run)


@pytest.mark.parametrize(
    "values",
    [{"settings": {}}, {"pieces": 7}, {"pieces": [{}]}, {"settings": {"model": {"name": "", "revision": ""}}}],
    ids=str,
)
def test_a_manifest_of_another_shape_is_refused(values, run, refused):
    change(run / "manifest.json", **values)
    with refused(str(run / "manifest.json")):
        read_run(run)


def test_a_manifest_is_bounded(run, refused):
    with open(run / "manifest.json", "wb") as file:
        file.truncate(2**40)
    with refused(str(run / "manifest.json"), "bytes"):
        read_run(run)
    (run / "manifest.json").write_text("[" * 100_000)
    with refused(str(run / "manifest.json")):
        read_run(run)


@pytest.mark.parametrize("part", PARTS)
def test_the_music_of_a_run_is_bounded(part, run, refused):
    with open(run / f"000_a.{part}.mid", "r+b") as file:
        file.truncate(2**40)
    with refused(str(run / f"000_a.{part}.mid"), "bytes"):
        read_run(run)


@pytest.mark.parametrize("name", ["{evil}", "/", "~", "{evil}/../evil"])
def test_the_model_that_a_run_names_is_not_opened_where_it_is_another(name, run, evil, stranger, refused):
    change(evil / "processor_config.json", "miditok", **{"class": "stranger.Tokenizer"})
    change(run / "manifest.json", "settings", "model", name=name.format(evil=evil))
    with refused("evil" if "evil" in name else name, kind=NotAvailable):
        load_run_model(read_run(run))


@pytest.mark.parametrize("revision", ["0" * 40, "main", "", "0" * 63, "g" * 40])
@pytest.mark.parametrize("name", ["{evil}", "{evil}/../evil", "mallory/local"])
def test_what_is_of_no_folder_is_a_commit_of_the_hub(name, revision, run, evil, tmp_path, stranger, refused):
    shutil.copytree(evil, tmp_path / "mallory" / "local")
    model = {"name": name.format(evil=evil), "revision": revision}
    change(run / "manifest.json", "settings", "model", **model)
    with refused(model["name"], "commit", kind=NotAvailable):
        load_run_model(read_run(run))


def test_a_branch_of_the_hub_is_no_record_of_a_model(run, refused):
    change(run / "manifest.json", "settings", "model", name="mallory/tracker", revision="main")
    with refused("mallory/tracker", "commit", kind=NotAvailable):
        load_run_model(read_run(run))


def test_the_soundfont_that_a_run_names_is_not_opened(run, tmp_path, stranger, monkeypatch, refused):
    secret = tmp_path / "secret.sf2"
    secret.write_bytes(b"RIFF")
    change(run / "manifest.json", "pieces", 0, "files", full="000_a.full.mid")
    (run / "000_a.full.mid").write_bytes(midi_bytes(make_score(2)))
    change(run / "manifest.json", "settings", output={"soundfont": str(secret)})
    asked = []
    monkeypatch.setattr(
        showcase, "render_audio", lambda score, **settings: asked.append(settings) or np.zeros((2, 22050), np.float32)
    )
    piece = showcase.make_exhibit(read_run(run), pd.DataFrame({"piece": ["a"]}), "best", 0).piece
    assert piece.sound and not piece.silence
    assert [settings.get("soundfont") for settings in asked] == [None]


@pytest.mark.parametrize("part", ["picture", "audio"])
def test_what_a_run_rendered_is_bounded(part, run, refused):
    change(run / "manifest.json", "pieces", 0, "files", **{part: "000_a.rendered"})
    with open(run / "000_a.rendered", "wb") as file:
        file.truncate(2**40)
    with refused(str(run / "000_a.rendered"), "bytes"):
        read_run(run)


@pytest.fixture
def embedding(tmp_path):
    folder = tmp_path / "harmony"
    HarmonyEmbedding(("<unknown>", "I", "V"), np.ones((3, 4))).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "vectors",
    [
        np.ones((3, 100_000), np.float32),
        np.ones((4, 4), np.float32),
        np.ones(3, np.float32),
        np.full((3, 4), np.nan, np.float32),
    ],
    ids=lambda vectors: f"{vectors.shape} {vectors.dtype}",
)
def test_vectors_are_those_of_the_words(vectors, embedding, refused):
    save_file({"vectors": vectors}, embedding / "harmony_embedding.safetensors")
    with refused("harmony"):
        HarmonyEmbedding.from_pretrained(embedding)


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 8, struct.pack("<Q", 40 * 2**20) + b"{", b"\x80\x04pickle"], ids=repr
)
def test_vectors_are_a_file_of_safetensors(content, embedding, refused):
    (embedding / "harmony_embedding.safetensors").write_bytes(content)
    with refused("harmony"):
        HarmonyEmbedding.from_pretrained(embedding)


@pytest.mark.parametrize(
    "words", [7, ["I"], ["<unknown>", "I", "I"], ["<unknown>", "I", 7], [["<unknown>"]], "<unknown>"]
)
def test_words_are_different_words(words, embedding, refused):
    change(embedding / "harmony_embedding.json", words=words)
    with refused("harmony"):
        HarmonyEmbedding.from_pretrained(embedding)


@pytest.mark.parametrize("name", ["harmony_embedding.json", "harmony_embedding.safetensors"])
def test_links_of_an_embedding_lead_nowhere_else(name, embedding, secret, refused):
    (embedding / name).unlink()
    (embedding / name).symlink_to(secret)
    with refused(str(embedding / name), "link"):
        HarmonyEmbedding.from_pretrained(embedding)
