"""Scores as arrays to base tokens."""

from __future__ import annotations

from miditok import MusicTokenizer

from ...music.score_arrays import ScoreArrays
from .encoding import Encoder
from .quantising import Quantiser
from .rows import Rows
from .vocabulary import Vocabulary


class ArrayEncoder:
    """
    Quantises and encodes scores as miditok does, or says that only it can.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): one of which arrays know every setting ([`unknown_setting`]).
    """

    def __init__(self, tokenizer: MusicTokenizer):
        vocabulary = Vocabulary(tokenizer)
        self._quantiser, self._encoder = Quantiser(tokenizer, vocabulary), Encoder(tokenizer, vocabulary)

    def quantise(self, score: ScoreArrays) -> ScoreArrays:
        """
        What of a score is written, in ticks of the tokenizer.

        Raises:
            [`BeyondArrays`]: only miditok can tell: where notes are out of order, or times out of its range.
        """
        return self._quantiser(score)

    def encode(self, quantised: ScoreArrays) -> Rows:
        """
        The base tokens of what was quantised, or of a part of it.

        Raises:
            [`BeyondArrays`]: only miditok can tell: where there is no note, or the vocabulary lacks a token.
        """
        return self._encoder(quantised)
