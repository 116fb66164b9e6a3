"""Tiny random models of every tokenizer, and pipelines around them."""

import pytest
import torch
from datasets import Dataset, Features
from music import make_score

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model
from neuromusic_hf.music import Midi

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
TOKENIZATIONS = ("REMI", "TSD", "Structured")


@pytest.fixture(autouse=True)
def one_thread():
    """Tensors this small are computed before a second thread has started."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def processor_of():
    """A processor by name; `"REMI BPE"` and the like have a learned vocabulary."""
    made = {}

    def get(name):
        if name not in made:
            tokenization, _, trained = name.partition(" ")
            made[name] = MidiProcessor.from_tokenization(tokenization)
            if trained:
                rows = {"midi": [make_score(seed).dumps_midi() for seed in range(8)]}
                corpus = Dataset.from_dict(rows, features=Features({"midi": Midi()}))
                made[name] = made[name].train_new_from_corpus(corpus, 1000)
        return made[name]

    return get


@pytest.fixture(scope="session")
def tiny_model(processor_of):
    """Builds a tiny model, the same at every call."""

    def build(tokenization, family="gpt2", context_length=256):
        torch.manual_seed(0)
        return build_model(family, processor_of(tokenization), context_length=context_length, **TINY).eval()

    return build


@pytest.fixture(scope="session")
def pipeline_of(processor_of, tiny_model):
    """A pipeline by the name of its processor."""
    made = {}

    def get(name, family="gpt2"):
        if (name, family) not in made:
            model = tiny_model(name, family)
            made[name, family] = MidiContinuationPipeline(model, processor_of(name), device="cpu")
        return made[name, family]

    return get


@pytest.fixture(params=TOKENIZATIONS)
def pipe(request, pipeline_of):
    return pipeline_of(request.param)


@pytest.fixture
def remi_pipe(pipeline_of):
    return pipeline_of("REMI")
