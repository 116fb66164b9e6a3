"""The ids of miditok's base tokens, as arrays by what the tokens say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from miditok import REMI, MusicTokenizer
from miditok.utils.utils import np_get_closest

from ...borders.miditok import has_beat, ticks_of_lengths
from .known import BeyondArrays

NOTHING = -1
"""In place of an id, where there is no token."""

MISSING = -2
"""In place of an id, where miditok would write a token that its vocabulary does not have."""


@dataclass(frozen=True, eq=False)
class Lengths:
    """
    Lengths of notes and of shifts, where a beat has so many ticks; arrays by ticks, up to the longest.

    Args:
        closest (`np.ndarray`): the length next to so many ticks, in ticks.
        floor (`np.ndarray`): the longest length that is no longer, in ticks; 0 if there is none.
        duration (`np.ndarray` of `int32`): id of the Duration; `MISSING` where there is no such length, which the
            last one stands for.
        shift (`np.ndarray` of `int32`): id of the TimeShift, likewise.
    """

    closest: np.ndarray
    floor: np.ndarray
    duration: np.ndarray
    shift: np.ndarray

    @property
    def longest(self) -> int:
        """In ticks."""
        return len(self.closest) - 1

    @classmethod
    def of(cls, tokenizer: MusicTokenizer, beat: int) -> Lengths:
        """Those of a tokenizer; a beat has so many ticks."""
        words = {ticks: word for word, ticks in ticks_of_lengths(tokenizer, beat).items()}
        ticks = np.array(list(words))
        every = np.arange(int(ticks[-1]) + 1)
        floor = np.append(0, ticks)[ticks.searchsorted(every, side="right")]
        ids = []
        for kind in ("Duration", "TimeShift"):
            ids.append(np.full(len(every) + 1, MISSING, np.int32))
            ids[-1][ticks] = [tokenizer.vocab.get(f"{kind}_{word}", MISSING) for word in words.values()]
        return cls(np_get_closest(ticks, every), floor, *ids)


class Vocabulary:
    """
    Ids by what tokens say; arrays of `int32`.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): one that is known ([`unknown_setting`]).
    """

    def __init__(self, tokenizer: MusicTokenizer):
        config, self.ids = tokenizer.config, tokenizer.vocab
        self._tokenizer = tokenizer
        self._lengths: dict[int, Lengths] = {}
        drum = "PitchDrum" if config.use_pitchdrum_tokens else "Pitch"
        self.pitch = np.stack([self._table("Pitch", range(128)), self._table(drum, range(128))])
        """By whether it is one of drums, and MIDI pitch."""
        self.velocity = self._table("Velocity", range(128))
        """By MIDI velocity."""
        self.program = self._table("Program", range(-1, 128))
        """By MIDI program + 1, which is 0 of drums."""
        positions = len(tokenizer.token_ids_of_type("Position"))
        self.position = self._table("Position", range(positions + 1))
        """By steps since the bar line; the last one is `MISSING`."""
        self.bar = self.ids["Bar_None"] if isinstance(tokenizer, REMI) else MISSING

    def _table(self, kind: str, values: Iterable[int]) -> np.ndarray:
        return np.array([self.ids.get(f"{kind}_{value}", MISSING) for value in values], np.int32)

    def lengths(self, beat: int) -> Lengths:
        """
        Those of beats of so many ticks.

        Raises:
            [`BeyondArrays`]: the tokenizer has none.
        """
        if beat not in self._lengths:
            if not has_beat(self._tokenizer, beat):
                raise BeyondArrays("no lengths are known for the beat of a meter")
            self._lengths[beat] = Lengths.of(self._tokenizer, beat)
        return self._lengths[beat]

    def single_shifts(self, beat: int) -> np.ndarray:
        """Ids of the one TimeShift that stands for so many ticks, by ticks; the last one of all that are longer."""
        lengths = self.lengths(beat)
        ids = lengths.shift[lengths.closest]
        ids[0] = self.ids["TimeShift_0.0.1"]
        return ids

    def meters(self, meters: np.ndarray) -> np.ndarray:
        """Ids of meters: of shape `(meters,)`, of an array of shape `(3, meters)`."""
        words = (f"TimeSig_{numerator}/{denominator}" for numerator, denominator in meters[1:].T.tolist())
        return np.array([self.ids.get(word, MISSING) for word in words], np.int32)

    def tempos(self, tempos: np.ndarray) -> np.ndarray:
        """Ids of tempos: of shape `(tempos,)`, of an array of shape `(2, tempos)`."""
        words = (f"Tempo_{round(6e7 / max(microseconds, 1), 2)}" for microseconds in tempos[1].tolist())
        return np.array([self.ids.get(word, MISSING) for word in words], np.int32)
