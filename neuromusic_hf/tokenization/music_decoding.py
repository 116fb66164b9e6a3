"""Ids of music to a score: in arrays where they know the tokenizer, else by miditok."""

import numpy as np
from miditok import MusicTokenizer
from symusic import Score
from symusic.core import ScoreTick

from .arrays import BeyondArrays, tell_of_miditok, unknown_setting
from .arrays.decoding import ArrayDecoder
from .one_stream import decode_ids


class MusicDecoder:
    """
    Decodes ids of one tokenizer, as long as that stays what it is.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): trained or not.
        silent_ids (`list[int]`): those that say nothing of music.
    """

    def __init__(self, tokenizer: MusicTokenizer, silent_ids: list[int]):
        self.tokenizer = tokenizer
        self.arrays = None
        if reason := unknown_setting(tokenizer):
            tell_of_miditok(f"{type(tokenizer).__name__} is", reason)
        else:
            self.arrays = ArrayDecoder(tokenizer)
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
        if self.arrays:
            try:
                return self.arrays.decode(ids)
            except BeyondArrays as beyond:
                tell_of_miditok(f"Ids of {type(self.tokenizer).__name__} are", str(beyond))
        return decode_ids(self.tokenizer, ids.tolist())
