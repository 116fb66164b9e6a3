"""Processors and small corpora built in process."""

import pytest
from tiny import TOKENIZATIONS
from tokenization.sample_scores import SCORES, random_score

from neuromusic_hf import load_corpus

VOCABULARY_MODELS = ("BPE", "Unigram", "WordPiece")


@pytest.fixture(scope="session")
def processors(processor_of):
    return {name: processor_of(name) for name in TOKENIZATIONS}


@pytest.fixture(params=TOKENIZATIONS)
def processor(request, processors):
    return processors[request.param]


@pytest.fixture(params=sorted(SCORES))
def score(request):
    return SCORES[request.param]()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """60 pieces of 20 to 107 notes; in half of them drums play along."""
    folder = tmp_path_factory.mktemp("pieces")
    for seed in range(60):
        random_score(seed, notes=20 + 3 * (seed % 30), drums=seed % 2 == 0).dump_midi(folder / f"{seed:02d}.mid")
    return load_corpus(folder, cache_dir=tmp_path_factory.mktemp("corpus"), split_shares=(0.6, 0.2, 0.2))


@pytest.fixture(scope="session")
def trained_processors(processors, corpus):
    """Every tokenizer with every vocabulary model, trained on the same pieces when first asked for."""
    trained = {}

    def train(tokenization, model):
        if (tokenization, model) not in trained:
            untrained = processors[tokenization]
            trained[tokenization, model] = untrained.train_new_from_corpus(
                corpus["train"], untrained.vocab_size + 60, model
            )
        return trained[tokenization, model]

    return train


@pytest.fixture(params=[(name, model) for name in TOKENIZATIONS for model in VOCABULARY_MODELS], ids="-".join)
def trained_processor(request, trained_processors):
    return trained_processors(*request.param)
