"""What share of infilling a run has that was not told one."""

import json
import logging

import pytest
import torch
import yaml
from tiny import ONE_LAYER

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.bundles import save_bundle
from neuromusic_hf.training import DataArguments, ModelArguments, RunArguments, parse_recipe, settle_infill_share

CONTINUED = ["--resume_from_checkpoint", "last"]
BY_INFILLING = ["--load_best_model_at_end", "--metric_for_best_model", "infill_loss"]


@pytest.fixture(scope="session")
def bundle_of(processor_of, tmp_path_factory):
    """A bundle of a model that was trained with a share; one of an earlier version, without the tokens, with none."""
    made = {}

    def get(share):
        if share not in made:
            processor = processor_of("TSD")
            if not share:
                processor = MidiProcessor.from_music_tokenizer(processor.music_tokenizer)
            torch.manual_seed(0)
            model = build_model("gpt2", processor, context_length=256, **ONE_LAYER)
            if share:
                model.config.infill_share = share
            made[share] = str(tmp_path_factory.mktemp("bundle"))
            save_bundle(model, processor, made[share])
        return made[share]

    return get


@pytest.fixture
def settled(tmp_path):
    """The share that is settled, and whether infilling was asked for."""

    def settle(share=None, checkpoint=None, metric=None, **model):
        data_args = DataArguments(infill_share=share)
        args = RunArguments(output_dir=str(tmp_path), resume_from_checkpoint=checkpoint, metric_for_best_model=metric)
        asked = settle_infill_share(ModelArguments(**model), data_args, args)
        return data_args.infill_share, asked

    return settle


@pytest.mark.parametrize("model", ["gpt2", "music_transformer", "transformers.GPT2LMHeadModel"])
def test_a_new_model_has_the_default(model, settled):
    assert settled(model=model) == (0.25, False)


def test_what_is_said_holds(settled, bundle_of):
    for share, asked in ((0.0, False), (0.5, True)):
        assert settled(share) == settled(share, model=bundle_of(0.3)) == (share, asked)


@pytest.mark.parametrize("share", [0, 0.3])
def test_saved_weights_have_what_they_were_trained_with(share, settled, bundle_of):
    assert settled(model=bundle_of(share)) == (share, False)


def test_a_saved_tokenizer_gets_no_tokens_that_nobody_asked_for(settled, bundle_of, caplog):
    with caplog.at_level(logging.INFO, "neuromusic_hf"):
        assert settled(tokenization=bundle_of(0)) == (0.0, False)
    assert "infill_share=0, as the saved tokenizer has no tokens of infilling" in caplog.text
    assert settled(tokenization=bundle_of(0.3)) == (0.25, False)
    assert settled(0.1, tokenization=bundle_of(0)) == (0.1, True)


def test_a_tokenizer_that_writes_track_after_track_learns_none(settled, caplog):
    mmm = {"tokenization": "MMM", "tokenization_config": {"base_tokenizer": "REMI"}}
    with caplog.at_level(logging.INFO, "neuromusic_hf"):
        assert settled(**mmm) == (0.0, False)
    assert "infill_share=0, as this MMM writes one track after the other" in caplog.text
    assert settled(0.0, **mmm) == (0.0, False)
    with pytest.raises(ValueError, match="MMM writes one track after the other.*infill_share=0"):
        settled(0.25, **mmm)
    with pytest.raises(ValueError, match="Infilling is measured where infill_share is above 0"):
        settled(metric="infill_loss", **mmm)


@pytest.mark.parametrize(
    ("recipe", "share"), [("infill_share: 0.4", 0.4), ("infill_share: 0.0", 0.0), ("seed: 1", 0.0)]
)
def test_a_run_that_goes_on_has_that_of_its_checkpoint(recipe, share, settled, tmp_path):
    (tmp_path / "recipe.yaml").write_text(recipe)
    assert settled(checkpoint=str(tmp_path)) == (share, False)


def test_a_checkpoint_cannot_tell_what_is_no_share(settled, tmp_path):
    (tmp_path / "recipe.yaml").write_text("infill_share: 2")
    with pytest.raises(ValueError, match="infill_share=2"):
        settled(checkpoint=str(tmp_path))


def test_a_metric_of_infilling_asks_for_it(settled, bundle_of, tmp_path):
    assert settled(metric="infill_loss") == (0.25, True)
    with pytest.raises(ValueError, match="Infilling is measured where infill_share is above 0"):
        settled(metric="eval_infill_loss", model=bundle_of(0))
    parsed = parse_recipe([*BY_INFILLING, "--output_dir", str(tmp_path)])
    assert parsed[1].infill_share is None and parsed[2].greater_is_better is False


def read(folder):
    """The record of a run, its recipe and its config."""
    config = json.loads((folder / "config.json").read_text())
    return json.loads((folder / "run.json").read_text()), yaml.safe_load((folder / "recipe.yaml").read_text()), config


def test_a_run_that_says_nothing_learns_to_fill_in_and_goes_on_so(train, options, tmp_path):
    said = options(infill_share=None, context_length=128, max_steps=2, save_steps=1, eval_steps=2)
    train(said)
    record, recipe, config = read(tmp_path / "run" / "bundle")
    assert recipe["infill_share"] == config["infill_share"] == 0.25
    assert 0.25 <= record["splits"]["train"]["infill"]["share"] < 0.27
    assert record["metrics"]["eval_infill_loss"] > 0
    train([*options(context_length=128, infill_share=None, max_steps=3, save_steps=1, eval_steps=3), *CONTINUED])
    assert read(tmp_path / "run" / "bundle")[0]["splits"] == record["splits"]
    with pytest.raises(ValueError, match="infill_share: 0.25 there, 0.0 now"):
        train([*options(context_length=128, infill_share=0.0, max_steps=4), *CONTINUED])


def test_where_no_bar_fits_a_run_goes_on_without_unless_it_asked(train, options, tmp_path, caplog):
    short = {"context_length": 16, "max_steps": 1, "save_steps": 1, "eval_steps": 1}
    train(options(infill_share=None, **short))
    record, recipe, config = read(tmp_path / "run" / "bundle")
    assert recipe["infill_share"] == 0 and "infill_share" not in config
    assert "infill" not in record["splits"]["train"]
    assert "hardly a bar of the train split fits into a context of 16 tokens" in caplog.text
    train([*options(infill_share=None, **short | {"max_steps": 2}), *CONTINUED])
    for asked in (["--infill_share", "0.1"], BY_INFILLING):
        with pytest.raises(ValueError, match="cannot be: hardly a bar"):
            train([*options("other", infill_share=None, **short), *asked])
