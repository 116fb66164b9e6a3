"""A model is known by its commit, or by the content of the files that decide about the notes."""

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import pytest

from neuromusic_hf.bundles import ModelIdentity, files_hash, weights_hash


def test_files_beside_the_weights_are_known_by_their_content(tmp_path):
    found = {files_hash(tmp_path)}
    for name in ("config.json", "generation_config.json", "tokenizer.json", "modeling_own.py"):
        for content in ("first", "other"):
            (tmp_path / name).write_text(content)
            found.add(files_hash(tmp_path))
    (tmp_path / "trainer_state.json").write_text("first")
    found.add(files_hash(tmp_path))
    assert len(found) == 9 and files_hash("user/model") is None


def test_the_revision_is_the_commit_or_the_hash_of_the_weights(tmp_path):
    parts = {"model-00001.safetensors": b"first", "model-00002.safetensors": b"second"}
    for name, content in parts.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "config.json").write_text("{}")
    expected = hashlib.sha256(b"firstsecond").hexdigest()
    local = SimpleNamespace(name_or_path=str(tmp_path), hub_commit=None)
    assert ModelIdentity.of(local) == ModelIdentity(str(tmp_path), expected, files_hash(tmp_path))
    assert weights_hash(tmp_path) == expected
    of_hub = SimpleNamespace(name_or_path="user/model", hub_commit="abc123")
    assert ModelIdentity.of(of_hub) == ModelIdentity("user/model", "abc123")
    with pytest.raises(FileNotFoundError, match="safetensors"):
        weights_hash(tmp_path / "nothing")


def test_a_folder_that_holds_another_model_by_now_is_noticed(tmp_path):
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    weights.write_bytes(b"weights")
    config.write_text("{}")
    identity = ModelIdentity.of(SimpleNamespace(name_or_path=str(tmp_path)))
    of_earlier = replace(identity, files=None)
    assert identity.is_of_folder and not ModelIdentity("user/model", "b" * 40).is_of_folder
    assert not identity.is_changed() and not of_earlier.is_changed()
    config.write_text("[]")
    assert identity.is_changed() and not of_earlier.is_changed()
    config.write_text("{}")
    weights.write_bytes(b"others")
    assert identity.is_changed() and of_earlier.is_changed()
