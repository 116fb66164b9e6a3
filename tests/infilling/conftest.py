"""Grammars of middles, of every tokenizer and vocabulary, and pieces to cut."""

import pytest
from grammar.following import MODELS, NAMES
from infilling.middles import with_infill_tokens
from music import make_score
from tokenization.conftest import corpus, processors, trained_processors  # noqa: F401
from tokenization.sample_scores import SCORES

from neuromusic_hf.infilling import MiddleGrammar

PIECES = (
    "band",
    "many_meters",
    "late_meter_and_tempo",
    "rubato",
    "long_notes_and_gaps",
    "every_meter",
    "long_notes_in_eighths",
    "drums_only",
    "neither_tempo_nor_meter",
    "meters_out_of_vocabulary",
)


@pytest.fixture(scope="session")
def middle_grammars(processors, trained_processors):  # noqa: F811
    """Processor and grammar of middles of a tokenizer and its vocabulary model, if any."""
    made = {}

    def make(name, model=""):
        if (name, model) not in made:
            found = with_infill_tokens(trained_processors(name, model) if model else processors[name])
            made[name, model] = found, MiddleGrammar(found)
        return made[name, model]

    return make


@pytest.fixture(params=[(name, model) for name in NAMES for model in MODELS], ids="-".join)
def every_case(request, middle_grammars):
    return middle_grammars(*request.param)


@pytest.fixture(params=[(name, model) for name in NAMES for model in ("", "BPE")], ids="-".join)
def case(request, middle_grammars):
    return middle_grammars(*request.param)


@pytest.fixture(scope="session")
def pieces():
    """Several meters, tempos and programs; long silences."""
    return [make_score(0), make_score(1), *(SCORES[name]() for name in PIECES)]
