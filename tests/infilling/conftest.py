"""Processors, and pieces to cut."""

import pytest
from datasets import Dataset
from music import make_score, make_song
from tokenization.sample_scores import SCORES, random_score

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
