"""Arrays yield the very ids of miditok: of drawn scores that aim at every rule, in every setting that is known."""

import random

import numpy as np
import pytest
from tokenization.drawn_scores import draw_score

from neuromusic_hf.music.score_arrays import ScoreArrays
from neuromusic_hf.tokenization import create_music_tokenizer, one_stream
from neuromusic_hf.tokenization.arrays import ArrayEncoder

FIELDS = ("programs", "track", "onset", "duration", "pitch", "velocity", "meters", "tempos")
SETTINGS = {
    "as they are": {},
}


def by_miditok(tokenizer, score):
    """What miditok quantises, and its base ids; or the error it raises."""
    quantised = one_stream.quantise(tokenizer, score)
    ids = one_stream.encode_quantised(tokenizer, quantised, encode_ids=False).ids if quantised.note_num() else []
    return ScoreArrays.of(quantised), ids
