"""The tempos that a tokenizer writes, on arrays."""

from __future__ import annotations

import numpy as np
from miditok import MusicTokenizer
from miditok.utils.utils import np_get_closest
from symusic import Tempo

from ...borders.miditok import tempo_values
from .stretches import Stretches


class TempoRounder:
    """
    Rounds tempos to those of a vocabulary, the last of several at one tick, and one from the start on.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): it writes tempos.
    """

    def __init__(self, tokenizer: MusicTokenizer):
        self._values = tempo_values(tokenizer)
        self._default_tempo = tokenizer.default_tempo
        self._without_repetition = tokenizer.config.delete_equal_successive_tempo_changes

    def __call__(self, tempos: np.ndarray, stretches: Stretches) -> np.ndarray:
        """
        The tempos that are written.

        Args:
            tempos (`np.ndarray` of shape `(2, tempos)`): ticks, ascending, and microseconds a quarter note.
            stretches ([`Stretches`]): of the piece.
        """
        default = np.array([[0], [Tempo(0, self._default_tempo).mspq]])
        if not tempos.shape[1]:
            return default
        time, value = stretches.to_steps(tempos[0]), np_get_closest(self._values, tempos[1])
        last = np.append(np.diff(time) != 0, True)
        time, value = time[last], value[last]
        if self._without_repetition:
            new = np.append(True, np.diff(value) != 0)
            time, value = time[new], value[new]
        written = np.stack([time, value.astype(np.int64)])
        if self._without_repetition and 6e7 / written[1, 0] == self._default_tempo:
            written[0, 0] = 0
        return written if written[0, 0] == 0 else np.concatenate([default, written], axis=1)
