"""The programs a model was trained on, as its config keeps them."""

import pytest
from datasets import Dataset
from music import make_score
from tokenization.sample_scores import random_score
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from neuromusic_hf import MidiProcessor
from neuromusic_hf.training import record_trained_programs


@pytest.fixture
def model():
    return GPT2LMHeadModel(GPT2Config(vocab_size=4, n_embd=4, n_layer=1, n_head=1, n_positions=4))


def blocks(processor, *scores):
    return Dataset.from_dict({"input_ids": [processor.encode(score) for score in scores]})


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured"])
def test_the_programs_of_the_tokens_are_recorded_and_saved(model, name, tmp_path):
    processor = MidiProcessor.from_tokenization(name)
    record_trained_programs(model, processor, blocks(processor, make_score(1), make_score(2)))
    assert model.config.trained_programs == [0, 32]
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    record_trained_programs(loaded, processor, blocks(processor, random_score(1)))
    assert loaded.config.trained_programs == [-1, 0, 32, 33]


def test_weights_from_elsewhere_without_a_record_stay_without(model, tmp_path):
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    processor = MidiProcessor.from_tokenization("TSD")
    record_trained_programs(loaded, processor, blocks(processor, make_score(1)))
    assert not hasattr(loaded.config, "trained_programs")
