"""Grammars of every tokenizer and vocabulary, and music to follow under them."""

import pytest
from grammar.following import MODELS, NAMES
from music import make_score
from tokenization.conftest import corpus, processors, trained_processors  # noqa: F401
from tokenization.sample_scores import SCORES

from neuromusic_hf import load_corpus
from neuromusic_hf.grammar import TokenGrammar


@pytest.fixture(scope="session")
def grammars(processors, trained_processors):  # noqa: F811
    """Processor and grammar of a tokenizer and its vocabulary model, if any."""
    made = {}

    def make(name, model=""):
        if (name, model) not in made:
            processor = trained_processors(name, model) if model else processors[name]
            made[name, model] = processor, TokenGrammar.from_processor(processor)
        return made[name, model]

    return make


@pytest.fixture(params=[(name, model) for name in NAMES for model in MODELS], ids="-".join)
def every_case(request, grammars):
    return grammars(*request.param)


@pytest.fixture(params=[(name, model) for name in NAMES for model in ("", "BPE")], ids="-".join)
def case(request, grammars):
    return grammars(*request.param)


@pytest.fixture(scope="session")
def music(corpus, tmp_path_factory):  # noqa: F811
    """Real and made pieces; their tracks are in all kinds of order."""
    pieces = [make_score(seed) for seed in range(6)] + [score() for score in SCORES.values()]
    pieces += [row["midi"] for row in corpus["test"]]
    for name in ("bach", "folk"):
        embedded = load_corpus(
            name, cache_dir=tmp_path_factory.mktemp(name), max_pieces=12, split_shares=(0.4, 0.3, 0.3)
        )
        pieces += [row["midi"] for split in embedded.values() for row in split]
    return pieces
