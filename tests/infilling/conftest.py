"""Processors, grammars of middles, and pieces to cut."""

import pytest
from datasets import Dataset
from grammar.following import MODELS
from grammar.following import NAMES as TOKENIZERS
from infilling.middles import with_infill_tokens
from music import make_score, make_song
from tokenization.conftest import corpus, processors, trained_processors  # noqa: F401
from tokenization.sample_scores import SCORES, random_score

from neuromusic_hf.infilling import MiddleGrammar
from neuromusic_hf.music import Midi

NAMES = ("REMI", "TSD", "Structured", "REMI BPE", "Structured BPE")


@pytest.fixture(params=NAMES)
def processor(request, processor_of):
    return processor_of(request.param)


@pytest.fixture(scope="session")
def pieces():
    """A split of a corpus: songs of four instruments, duets, some with drums, and those that stress a tokenizer."""
    songs = {f"song {seed}": make_song(seed, bars=24) for seed in range(3)}
    duets = {f"duet {seed}": make_score(seed) for seed in range(4)}
    bands = {f"band {seed}": random_score(seed, notes=150) for seed in range(3)}
    scores = {**songs, **duets, **bands, **{name: score() for name, score in SCORES.items()}}
    midi = [{"bytes": score.dumps_midi(), "path": f"{name}.mid"} for name, score in scores.items()]
    return Dataset.from_dict({"midi": midi, "content_hash": list(scores)}).cast_column("midi", Midi())


CUT = (
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


@pytest.fixture(params=[(name, model) for name in TOKENIZERS for model in MODELS], ids="-".join)
def every_case(request, middle_grammars):
    return middle_grammars(*request.param)


@pytest.fixture(params=[(name, model) for name in TOKENIZERS for model in ("", "BPE")], ids="-".join)
def case(request, middle_grammars):
    return middle_grammars(*request.param)


@pytest.fixture(scope="session")
def cut_scores():
    """Several meters, tempos and programs; long silences."""
    return [make_score(0), make_score(1), *(SCORES[name]() for name in CUT)]
