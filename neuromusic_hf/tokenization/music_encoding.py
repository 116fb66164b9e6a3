"""Scores to ids of music: in arrays where they know the tokenizer, else by miditok."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from miditok import MusicTokenizer
from miditok.utils import get_bars_ticks, get_beats_ticks
from symusic.core import ScoreTick

from ..borders.miditok import character_of_id, learned_ids
from ..music.score_arrays import ScoreArrays
from .arrays import ArrayEncoder, Rows, unknown_setting
from .augmentation import Variant
from .one_stream import encode_quantised, quantise, tell_of_solo

logger = logging.getLogger(__name__)

SPLITS: dict[str, Callable[..., list[int]]] = {"bar": get_bars_ticks, "beat": get_beats_ticks}
"""Ticks at which the learned model begins anew, by what `encode_ids_split` says."""

NO_IDS = np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class Written:
    """
    What a tokenizer writes of a score.

    Args:
        given ([`ScoreArrays`]): the score.
        quantised ([`ScoreArrays`]): what it writes, in its own ticks.
        ids (`np.ndarray` of `int32` and shape `(length,)`): those of base tokens where there are `words`.
        words (`list[str]`, *optional*): of which its learned model makes the ids; one character a base token.
    """

    given: ScoreArrays
    quantised: ScoreArrays
    ids: np.ndarray
    words: list[str] | None = None


class MusicEncoder:
    """
    Encodes scores for one tokenizer, as long as its vocabulary stays what it is.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): trained or not.
    """

    def __init__(self, tokenizer: MusicTokenizer):
        self.tokenizer = tokenizer
        self.arrays = None
        if reason := unknown_setting(tokenizer):
            _tell_of_miditok(type(tokenizer).__name__, reason)
        else:
            self.arrays = ArrayEncoder(tokenizer)
        self._code_points = _code_points(tokenizer)

    def quantise(self, score: ScoreTick) -> ScoreTick:
        """What of a score it writes, in its own ticks: notes, meters and tempos."""
        tell_of_solo(self.tokenizer, score)
        quantised = self.arrays.quantise(ScoreArrays.of(score)) if self.arrays else None
        return quantise(self.tokenizer, score) if quantised is None else quantised.to_score()

    def encode_quantised(self, quantised: ScoreTick) -> list[int]:
        """Ids of what [`MusicEncoder.quantise`] gave, or of a part of it; none where there is no note."""
        piece = ScoreArrays.of(quantised)
        if not len(piece):
            return []
        rows = self.arrays.encode(piece) if self.arrays else None
        if rows is None:
            return encode_quantised(self.tokenizer, quantised).ids
        return self.ids_of([self._written(piece, piece, rows)])[0].tolist()

    def write(self, score: ScoreTick, variants: Iterable[Variant] = (Variant(),)) -> Iterator[Written]:
        """
        Yields what it writes of variants of a score; [`MusicEncoder.ids_of`] gives the ids of many at once.

        Args:
            score ([`symusic.Score`]): in ticks.
            variants (iterable of [`Variant`], *optional*): what to make of it before; nothing if not given.
        """
        tell_of_solo(self.tokenizer, score)
        arrays = ScoreArrays.of(score)
        for variant in variants:
            written = self._write_arrays(variant.apply_to_arrays(arrays)) if self.arrays else None
            yield self._write_by_miditok(variant.apply(score)) if written is None else written

    def ids_of(self, pieces: list[Written]) -> list[np.ndarray]:
        """The ids of each piece: `int32` of shape `(length,)`."""
        ids = [piece.ids for piece in pieces]
        learned = [index for index, piece in enumerate(pieces) if piece.words is not None]
        if learned:
            found = learned_ids(self.tokenizer, [pieces[index].words for index in learned])
            for index, values in zip(learned, found, strict=True):
                ids[index] = np.array(values, np.int32)
        return ids

    def bars(self, score: ScoreTick) -> list[str]:
        """Base tokens of a score, one character each, bar by bar; no bar without any."""
        quantised = self.arrays.quantise(ScoreArrays.of(score)) if self.arrays else None
        rows = None if quantised is None else self.arrays.encode(quantised)
        if rows is not None:
            return list(filter(None, self._split(quantised, rows, "bar")))
        sequence = encode_quantised(self.tokenizer, quantise(self.tokenizer, score), encode_ids=False)
        self.tokenizer.complete_sequence(sequence)
        return [self._text(bar.ids) for bar in sequence.split_per_bars() if bar.ids]

    def _write_arrays(self, score: ScoreArrays) -> Written | None:
        quantised = self.arrays.quantise(score)
        if quantised is None:
            return None
        if not len(quantised):
            return Written(score, quantised, NO_IDS)
        rows = self.arrays.encode(quantised)
        return None if rows is None else self._written(score, quantised, rows)

    def _write_by_miditok(self, score: ScoreTick) -> Written:
        quantised = quantise(self.tokenizer, score)
        ids = encode_quantised(self.tokenizer, quantised).ids if quantised.note_num() else []
        return Written(ScoreArrays.of(score), ScoreArrays.of(quantised), np.array(ids, np.int32))

    def _written(self, score: ScoreArrays, quantised: ScoreArrays, rows: Rows) -> Written:
        ids = rows.flat()
        if not self.tokenizer.is_trained:
            return Written(score, quantised, ids)
        unit = self.tokenizer.config.encode_ids_split
        words = self._split(quantised, rows, unit) if unit in SPLITS else [self._text(ids)]
        return Written(score, quantised, ids, words)

    def _split(self, quantised: ScoreArrays, rows: Rows, unit: str) -> list[str]:
        """Base tokens, one character each, bar by bar or beat by beat."""
        ticks = SPLITS[unit](quantised.to_score(), only_notes_onsets=True)
        borders = rows.flat_times().searchsorted(ticks[1:])
        ids = rows.flat()
        return [self._text(part) for part in np.split(ids, borders[borders < len(ids)])]

    def _text(self, ids: np.ndarray | list[int]) -> str:
        return self._code_points[ids].tobytes().decode("utf-32-le", "surrogatepass")


def _code_points(tokenizer: MusicTokenizer) -> np.ndarray:
    """Of the characters that stand for base tokens, by id; 0 of special tokens that are written as words."""
    characters = character_of_id(tokenizer)
    points = np.zeros(max(characters) + 1, "<u4")
    for index, character in characters.items():
        points[index] = ord(character) if len(character) == 1 else 0
    return points


@functools.cache
def _tell_of_miditok(name: str, reason: str) -> None:
    logger.info("%s is encoded by miditok itself, which takes tens of times as long as arrays: %s.", name, reason)
