"""Ids of music to a score: in arrays where they know the tokenizer, else by miditok."""

import numpy as np
from miditok import MusicTokenizer
from symusic import Score
from symusic.core import ScoreTick

from .arrays.decoding import ArrayDecoder
from .arrays.known import unknown_setting
from .arrays.token_table import KINDS
from .one_stream import decode_ids


class MusicDecoder:
    """
    Decodes ids of one tokenizer, as long as its vocabulary stays what it is.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): trained or not.
        silent_ids (`list[int]`): those that say nothing of music.
    """

    def __init__(self, tokenizer: MusicTokenizer, silent_ids: list[int]):
        self.tokenizer = tokenizer
        self.arrays = ArrayDecoder(tokenizer) if _is_known(tokenizer) else None
        self.is_music = np.ones(len(tokenizer), bool)
        self.is_music[silent_ids] = False

    def only_music(self, ids: np.ndarray) -> np.ndarray:
        """Ids without the silent ones, and those that were added to the vocabulary."""
        ids = ids[ids < len(self.is_music)]
        return ids[self.is_music[ids]]

    def decode(self, ids: np.ndarray) -> ScoreTick:
        """The score that ids stand for; without any of music, a score in which nothing is."""
        ids = self.only_music(ids)
        if not len(ids):
            return Score(self.tokenizer.time_division)
        score = self.arrays and self.arrays.decode(ids)
        return decode_ids(self.tokenizer, ids.tolist()) if score is None else score


def _is_known(tokenizer: MusicTokenizer) -> bool:
    """Whether arrays know all its settings, and no special token is named as one of music."""
    names = {token.partition("_")[0] for token in tokenizer.special_tokens}
    return unknown_setting(tokenizer) is None and names.isdisjoint(KINDS)
