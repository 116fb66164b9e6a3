"""Scores to ids of music: in arrays where they know the tokenizer, else by miditok."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from miditok import MusicTokenizer
from miditok.utils import get_bars_ticks, get_beats_ticks
from symusic.core import ScoreTick

from ..borders.miditok import character_of_id, learned_ids
from ..music.score_arrays import ScoreArrays
from .arrays import ArrayEncoder, BeyondArrays, Rows, tell_of_miditok, unknown_setting
from .augmentation import Variant
from .one_stream import encode_quantised, quantise, tell_of_solo
from .tally import Tally, take_tally
from .token_limits import TokenLimits

SPLITS: dict[str, Callable[..., list[int]]] = {"bar": get_bars_ticks, "beat": get_beats_ticks}
"""Ticks at which the learned model begins anew, by what `encode_ids_split` says."""

Found = TypeVar("Found")

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


@dataclass(frozen=True, eq=False)
class TimedTokens:
    """
    Base tokens of a quantised piece, and when they are.

    Args:
        ids (`np.ndarray` of `int32` and shape `(length,)`): of base tokens.
        written (`np.ndarray` of shape `(length,)`): the tick at which each is written.
        leads_to (`np.ndarray` of shape `(length,)`): the tick it is about: of a time shift the one where it leads.
        breaks (`np.ndarray` of shape `(breaks,)`): ticks at which the learned model begins anew.
    """

    ids: np.ndarray
    written: np.ndarray
    leads_to: np.ndarray
    breaks: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def taken(self, which: np.ndarray | slice) -> TimedTokens:
        """Some of them: a mask, indices or a slice."""
        return TimedTokens(self.ids[which], self.written[which], self.leads_to[which], self.breaks)


@dataclass(frozen=True, eq=False)
class Part:
    """A part of what is written of a piece: `ids` and `words` as of [`Written`]."""

    ids: np.ndarray
    words: list[str] | None = None


class MusicEncoder:
    """
    Encodes scores for one tokenizer, as long as that stays what it is.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): trained or not.
    """

    def __init__(self, tokenizer: MusicTokenizer):
        self.tokenizer = tokenizer
        self.arrays = None
        if reason := unknown_setting(tokenizer):
            tell_of_miditok(f"{type(tokenizer).__name__} is", reason)
        else:
            self.arrays = ArrayEncoder(tokenizer)
        self._code_points, self._limits = _code_points(tokenizer), TokenLimits.of(tokenizer)
        self._shifts = [index for word, index in tokenizer.vocab.items() if word.startswith("TimeShift_")]

    def quantise(self, score: ScoreTick) -> ScoreTick:
        """What of a score it writes, in its own ticks: notes, meters and tempos."""
        tell_of_solo(self.tokenizer, score)
        quantised = self._by_arrays(lambda arrays: arrays.quantise(ScoreArrays.of(score)))
        return quantise(self.tokenizer, score) if quantised is None else quantised.to_score()

    def encode_quantised(self, quantised: ScoreTick) -> list[int]:
        """Ids of what [`MusicEncoder.quantise`] gave, or of a part of it; none where there is no note."""
        piece = ScoreArrays.of(quantised)
        if not len(piece):
            return []
        rows = self._by_arrays(lambda arrays: arrays.encode(piece))
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
            written = self._write_arrays(variant.apply_to_arrays(arrays))
            yield self._write_by_miditok(variant.apply(score)) if written is None else written

    def timed_tokens(self, quantised: ScoreArrays) -> TimedTokens:
        """The base tokens of what is quantised, or of a part of it, with their times; at least one note is needed."""
        rows = self._by_arrays(lambda arrays: arrays.encode(quantised))
        if rows is not None:
            ids, written = rows.flat(), rows.flat_times()
        else:
            sequence = encode_quantised(self.tokenizer, quantised.to_score(), encode_ids=False)
            self.tokenizer.complete_sequence(sequence)
            ids = np.array(sequence.ids, np.int32)
            written = np.array([event.time for event in sequence.events], np.int64)
        unit = self.tokenizer.config.encode_ids_split
        learned_anew = self.tokenizer.is_trained and unit in SPLITS
        breaks = SPLITS[unit](quantised.to_score(), only_notes_onsets=True)[1:] if learned_anew else []
        return TimedTokens(ids, written, self._destinations(ids, written), np.array(breaks, np.int64))

    def part(self, tokens: TimedTokens) -> Part:
        """Base tokens as a part of its own, of which [`MusicEncoder.ids_of`] gives the ids."""
        if not self.tokenizer.is_trained:
            return Part(tokens.ids)
        borders = np.unique(tokens.written.searchsorted(tokens.breaks))
        words = [self._text(ids) for ids in np.split(tokens.ids, borders) if len(ids)]
        return Part(tokens.ids, words)

    def _destinations(self, ids: np.ndarray, written: np.ndarray) -> np.ndarray:
        """The tick of each token, of a shift that of the next that is none."""
        here = np.where(np.isin(ids, self._shifts), len(ids), np.arange(len(ids)))
        next_one = np.minimum.accumulate(here[::-1])[::-1]
        return np.append(written, written[-1:])[next_one]

    def ids_of(self, pieces: Sequence[Written | Part]) -> list[np.ndarray]:
        """The ids of each piece: `int32` of shape `(length,)`."""
        ids = [piece.ids for piece in pieces]
        learned = [index for index, piece in enumerate(pieces) if piece.words is not None]
        if learned:
            found = learned_ids(self.tokenizer, [pieces[index].words for index in learned])
            for index, values in zip(learned, found, strict=True):
                ids[index] = np.array(values, np.int32)
        return ids

    def tally(self, given: ScoreArrays, quantised: ScoreArrays) -> Tally:
        """Counts what it changes in a score, by what it writes of that."""
        return take_tally(self._limits, given, quantised)

    def bars(self, score: ScoreTick) -> list[str]:
        """Base tokens of a score, one character each, bar by bar; no bar without any."""
        if encoded := self._by_arrays(lambda arrays: _encode(arrays, ScoreArrays.of(score))):
            return list(filter(None, self._split(*encoded, "bar")))
        sequence = encode_quantised(self.tokenizer, quantise(self.tokenizer, score), encode_ids=False)
        self.tokenizer.complete_sequence(sequence)
        return [self._text(bar.ids) for bar in sequence.split_per_bars() if bar.ids]

    def _by_arrays(self, work: Callable[[ArrayEncoder], Found]) -> Found | None:
        """What arrays make of a piece; `None` where it is left to miditok, which is said."""
        if self.arrays is None:
            return None
        try:
            return work(self.arrays)
        except BeyondArrays as beyond:
            tell_of_miditok(f"A score for {type(self.tokenizer).__name__} is", str(beyond))
            return None

    def _write_arrays(self, score: ScoreArrays) -> Written | None:
        encoded = self._by_arrays(lambda arrays: _encode(arrays, score))
        return encoded and self._written(score, *encoded)

    def _write_by_miditok(self, score: ScoreTick) -> Written:
        quantised = quantise(self.tokenizer, score)
        ids = encode_quantised(self.tokenizer, quantised).ids if quantised.note_num() else []
        return Written(ScoreArrays.of(score), ScoreArrays.of(quantised), np.array(ids, np.int32))

    def _written(self, score: ScoreArrays, quantised: ScoreArrays, rows: Rows | None) -> Written:
        if rows is None:
            return Written(score, quantised, NO_IDS)
        ids = rows.flat()
        if not self.tokenizer.is_trained:
            return Written(score, quantised, ids)
        unit = self.tokenizer.config.encode_ids_split
        words = self._split(quantised, rows, unit) if unit in SPLITS else [self._text(ids)]
        return Written(score, quantised, ids, words)

    def _split(self, quantised: ScoreArrays, rows: Rows | None, unit: str) -> list[str]:
        """Base tokens, one character each, bar by bar or beat by beat."""
        if rows is None:
            return []
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


def _encode(arrays: ArrayEncoder, score: ScoreArrays) -> tuple[ScoreArrays, Rows | None]:
    """What is quantised of a score, and its base tokens, if there is a note."""
    quantised = arrays.quantise(score)
    return quantised, arrays.encode(quantised) if len(quantised) else None
