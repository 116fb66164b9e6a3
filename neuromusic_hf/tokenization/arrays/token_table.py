"""What the ids of REMI, TSD and Structured say, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import miditok
import numpy as np
from miditok import MusicTokenizer
from miditok.constants import TIME_SIGNATURE
from symusic import Tempo

from ...borders.miditok import read_meter
from ..base_words import base_tokens


class Kind:
    """What a base token is to who decodes it. Those up to `DURATION` are of notes."""

    PITCH, UNHEARD, VELOCITY, DURATION, BAR, POSITION, TIME_SHIFT, PROGRAM, TEMPO, METER, OTHER = range(11)


KIND_OF_NAME = {
    "Pitch": Kind.PITCH,
    "PitchDrum": Kind.PITCH,
    "Velocity": Kind.VELOCITY,
    "Duration": Kind.DURATION,
    "Bar": Kind.BAR,
    "Position": Kind.POSITION,
    "TimeShift": Kind.TIME_SHIFT,
    "Program": Kind.PROGRAM,
    "Tempo": Kind.TEMPO,
    "TimeSig": Kind.METER,
}
"""By the name of a token; of any other it is `OTHER`."""


@dataclass(frozen=True)
class TokenTable:
    """
    The base tokens of each id.

    Args:
        kind (`np.ndarray` of shape `(places,)`): a [`Kind`], of the base tokens of all ids, one id after the other.
        value (`np.ndarray` of shape `(places,)`):
            Its pitch, velocity, position or program; microseconds per quarter of a tempo; index in `meters` of a
            meter; steps of a length.
        steps_per_beat (`np.ndarray` of shape `(places,)`): of a length; 1 for all others.
        first (`np.ndarray` of shape `(ids,)`): the place where those of an id begin.
        count (`np.ndarray` of shape `(ids,)`): how many they are.
        meters (`np.ndarray` of shape `(meters, 2)`): numerator and denominator; the first is 4/4.
    """

    kind: np.ndarray
    value: np.ndarray
    steps_per_beat: np.ndarray
    first: np.ndarray
    count: np.ndarray
    meters: np.ndarray

    @classmethod
    def of(cls, tokenizer: MusicTokenizer) -> TokenTable:
        """That of a miditok tokenizer, trained or not."""
        meters = {TIME_SIGNATURE: 0}
        said = {word: _say(tokenizer, word, meters) for word in tokenizer.vocab}
        groups = base_tokens(tokenizer)
        kind, value, steps_per_beat = np.array([said[word] for words in groups for word in words], np.int32).T.copy()
        count = np.array([len(words) for words in groups])
        return cls(kind.astype(np.int8), value, steps_per_beat, count.cumsum() - count, count, np.array([*meters]))

    def places(self, ids: np.ndarray) -> np.ndarray:
        """Where the base tokens of ids stand in this table, those of one id after the other."""
        if (self.count == 1).all():
            return ids
        count = self.count[ids]
        end = count.cumsum()
        return np.repeat(self.first[ids] - end + count, count) + np.arange(end[-1] if len(end) else 0)


def _say(tokenizer: MusicTokenizer, word: str, meters: dict[tuple[int, int], int]) -> tuple[int, int, int]:
    """Kind, value and steps per beat of a base token; a new meter gets the next index."""
    name, value = word.split("_")
    kind = KIND_OF_NAME.get(name, Kind.OTHER)
    if kind == Kind.OTHER or word in tokenizer.special_tokens:
        return Kind.OTHER, 0, 1
    if kind == Kind.BAR:
        return (kind if word == "Bar_None" else Kind.OTHER), 0, 1
    if kind in (Kind.DURATION, Kind.TIME_SHIFT):
        beats, steps, steps_per_beat = map(int, value.split("."))
        return (kind, 0, 1) if word == "TimeShift_0.0.1" else (kind, beats * steps_per_beat + steps, steps_per_beat)
    if kind == Kind.METER:
        return kind, meters.setdefault(read_meter(tokenizer, value), len(meters)), 1
    if kind == Kind.TEMPO:
        return kind, Tempo(0, float(value)).mspq, 1
    if kind == Kind.PITCH and not isinstance(tokenizer, miditok.Structured):
        lowest, highest = tokenizer.config.pitch_range  # which miditok holds drums to as well, but in Structured
        return (kind if lowest <= int(value) <= highest else Kind.UNHEARD), int(value), 1
    return kind, int(value), 1
