"""Ids of music to a score: in arrays where they know the tokenizer, else by miditok."""

import numpy as np
from miditok import MusicTokenizer
from symusic import Score
from symusic.core import ScoreTick

from .arrays.decoding import ArrayDecoder
from .arrays.known import unknown_setting
from .one_stream import decode_ids


class MusicDecoder:
    """
    Decodes ids of one tokenizer, as long as its vocabulary stays what it is.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): trained or not.

    Attributes:
        num_ids (`int`): Of its vocabulary.
    """

    def __init__(self, tokenizer: MusicTokenizer):
        self.tokenizer = tokenizer
        self.num_ids = len(tokenizer)
        self.arrays = ArrayDecoder(tokenizer) if unknown_setting(tokenizer) is None else None

    def decode(self, ids: np.ndarray) -> ScoreTick:
        """The score that ids of music stand for; without any, a score in which nothing is."""
        if not len(ids):
            return Score(self.tokenizer.time_division)
        score = self.arrays and self.arrays.decode(ids)
        return decode_ids(self.tokenizer, ids.tolist()) if score is None else score
