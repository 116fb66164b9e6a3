"""A bundle on the Hub: the commit it was loaded from is known, and its processor is of that commit."""

from pathlib import Path

import pytest
from hub_cache import in_a_hub_cache
from huggingface_hub.constants import HF_HUB_CACHE
from transformers import pipeline

from neuromusic_hf import MidiContinuationPipeline
from neuromusic_hf.bundles import ModelIdentity
from neuromusic_hf.models.adapters import AutoMusicModel

COMMITS = {"main": "a" * 40, "v2": "b" * 40}


@pytest.fixture(scope="module")
def repository(tmp_path_factory, tiny_model, processor_of) -> str:
    """Its two branches hold models of two tokenizers."""
    name = "user/two_branches"
    for branch, tokenization in (("main", "REMI"), ("v2", "TSD")):
        folder = tmp_path_factory.mktemp(branch)
        tiny_model(tokenization).save_pretrained(folder)
        processor_of(tokenization).save_pretrained(folder)
        files = {path.name: path for path in folder.iterdir()}
        in_a_hub_cache(Path(HF_HUB_CACHE), name, files, COMMITS[branch], branch)
    return name


@pytest.mark.parametrize("asked", [{}, {"revision": "main"}, {"revision": "v2"}, {"revision": "b" * 40}])
def test_the_identity_of_a_model_is_its_commit(repository, asked):
    continuer = pipeline("midi-continuation", model=repository, **asked)
    commit = COMMITS.get(asked.get("revision", "main"), asked.get("revision"))
    assert ModelIdentity.of(continuer.model) == ModelIdentity(repository, commit)
    assert continuer.processor.tokenization == ("REMI" if commit == COMMITS["main"] else "TSD")


@pytest.mark.parametrize("branch", COMMITS)
def test_a_pipeline_around_a_model_finds_the_processor_of_its_commit(repository, branch):
    model = AutoMusicModel.from_pretrained(repository, revision=branch)
    assert MidiContinuationPipeline(model).processor.vocab_size == model.config.vocab_size


def test_a_model_in_a_folder_has_no_commit(tmp_path, tiny_model):
    tiny_model("REMI").save_pretrained(tmp_path)
    assert AutoMusicModel.from_pretrained(str(tmp_path)).hub_commit is None
