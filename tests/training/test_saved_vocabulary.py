"""scripts/train.py on weights that exist: whose ids it reads, and those of infilling where they are asked for."""

import logging
import shutil

import pytest
import torch
import yaml
from safetensors.torch import load_file
from tiny import ONE_LAYER

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model
from neuromusic_hf.bundles import save_bundle
from neuromusic_hf.checkpoints.resuming import is_same_value
from neuromusic_hf.models import trained_infill_share
from neuromusic_hf.training import ModelArguments
from neuromusic_hf.training.processor import load_processor

LAST = ["--resume_from_checkpoint", "last"]
NEW_MODEL = dict.fromkeys(ONE_LAYER)
"""Options of a new model, left out."""


@pytest.fixture(scope="session")
def old(processor_of, tmp_path_factory):
    """By name of its processor, a bundle as earlier versions made it, without tokens of infilling."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp("old")
            processor = MidiProcessor.from_music_tokenizer(processor_of(name).music_tokenizer)
            torch.manual_seed(0)
            save_bundle(build_model("gpt2", processor, context_length=256, **ONE_LAYER), processor, made[name])
        return made[name]

    return get


def read(folder):
    """The processor of a bundle, and its embeddings."""
    return MidiProcessor.from_pretrained(folder), load_file(folder / "model.safetensors")["transformer.wte.weight"]


@pytest.mark.parametrize("name", ["TSD", "REMI BPE"])
def test_an_old_bundle_trains_on_with_its_own_ids(name, old, train, options, tmp_path):
    train(options(model=old(name), max_steps=1, save_steps=1, eval_steps=1, **NEW_MODEL))
    before, weights = read(old(name))
    after, trained = read(tmp_path / "run" / "bundle")
    assert after.to_dict() == before.to_dict() and after.infill_ids is None
    assert trained.shape == weights.shape and not torch.equal(trained, weights)


@pytest.mark.parametrize("name", ["TSD", "REMI BPE"])
def test_an_old_bundle_grows_where_infilling_is_asked_for(name, old, train, options, tmp_path):
    asked = {"model": old(name), "infill_share": 0.5, "context_length": 256, "learning_rate": "1e-5", **NEW_MODEL}
    train(options(max_steps=1, save_steps=1, eval_steps=1, **asked))
    before, weights = read(old(name))
    for folder in (tmp_path / "run" / "bundle", tmp_path / "run" / "checkpoint-1"):
        after, trained = read(folder)
        assert after.vocabulary_hash == before.vocabulary_hash
        assert after.infill_ids == tuple(range(before.vocab_size, before.vocab_size + 4))
        assert trained.shape == (before.vocab_size + 4, 32)
        torch.testing.assert_close(trained[: before.vocab_size], weights, rtol=0, atol=1e-4)
    train([*options(max_steps=2, save_steps=1, eval_steps=1, **asked), *LAST])
    assert read(tmp_path / "run" / "bundle")[0].infill_ids == after.infill_ids
    pipe = MidiContinuationPipeline.from_pretrained(str(tmp_path / "run" / "bundle"), device="cpu")
    assert pipe.model.config.vocab_size == pipe.processor.vocab_size == before.vocab_size + 4
    assert trained_infill_share(pipe.model.config) == 0.5


def test_a_tokenization_that_is_said_goes_before(old, train, options, tmp_path):
    with pytest.raises(ValueError, match="840 ids and the processor 928 ids"):
        train(options(model=old("TSD"), tokenization="REMI", **NEW_MODEL))
    train(options(model=old("TSD"), tokenization="TSD", max_steps=1, save_steps=1, eval_steps=1, **NEW_MODEL))
    processor, weights = read(tmp_path / "run" / "bundle")
    assert processor.infill_ids == (840, 841, 842, 843) and weights.shape == (844, 32)
    assert yaml.safe_load((tmp_path / "run" / "bundle" / "recipe.yaml").read_text())["tokenization"] == "TSD"


def test_new_models_have_the_default_or_what_is_said():
    for model in ("gpt2", "music_transformer", "transformers.GPT2LMHeadModel"):
        arguments = ModelArguments(model=model)
        assert arguments.tokenization == "REMI"
        assert load_processor(arguments).infill_ids == (924, 925, 926, 927)
    assert load_processor(ModelArguments(tokenization="TSD")).tokenization == "TSD"


def test_weights_without_a_processor_are_told_to_have_the_default(old, tmp_path, caplog):
    folder = shutil.copytree(old("TSD"), tmp_path / "bare")
    for name in ("processor_config.json", "tokenizer.json"):
        (folder / name).unlink()
    with caplog.at_level(logging.WARNING):
        assert load_processor(ModelArguments(model=str(folder))).tokenization == "REMI"
    assert f"{folder} was saved without a processor: REMI is taken" in caplog.text


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"vocab_size": 1100}, "is a saved tokenizer: .*vocab_size cannot change it"),
        ({"tokenization_config": {"num_velocities": 8}}, "is a saved tokenizer: tokenization_config"),
        ({"tokenization": "TSD", "vocab_size": 1100}, "vocab_size=1100 would learn other ids than the weights of"),
    ],
)
def test_saved_ids_cannot_be_changed(said, words, old):
    with pytest.raises(ValueError, match=words):
        load_processor(ModelArguments(model=str(old("TSD")), **said))


def test_a_saved_tokenizer_of_a_new_model_grows_where_infilling_is_asked_for(old):
    arguments = ModelArguments(tokenization=str(old("TSD")))
    assert load_processor(arguments).infill_ids is None
    assert load_processor(arguments, infill_share=0.1).infill_ids == (840, 841, 842, 843)


def test_a_checkpoint_of_before_was_trained_without_infilling():
    assert is_same_value("infill_share", None, 0.0) and is_same_value("infill_share", 0.5, 0.5)
    assert all(is_same_value("infill_share", there, None) for there in (None, 0.0, 0.5))  # it is taken from there
    assert not is_same_value("infill_share", None, 0.5) and not is_same_value("infill_share", 0.5, 0.0)
