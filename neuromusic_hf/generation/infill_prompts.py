"""What a model is told of a piece of which bars are to be filled in."""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from symusic.core import ScoreTick

from ..infilling import Cut, CutEncoder, InfillSample
from ..music import RefusedFile, excerpt, new_music
from ..music.score_arrays import ScoreArrays
from ..tokenization import MidiProcessor
from .infill_request import Room
from .kept_notes import quantised_apart
from .piece_bars import Bars, PieceBars

LEAST_ROOM = 128
"""Tokens that are left for a span, at least, where nobody says how many."""


@dataclass(frozen=True, eq=False)
class SpanPrompt:
    """
    What a model reads before it fills in a span.

    Args:
        ids (`list[int]`): what it reads.
        prefix (`list[int]`): the part of these that the span follows.
        piece ([`ScoreArrays`]): the quantised piece, without what is cut out.
        cut ([`Cut`]): of it.
    """

    ids: list[int]
    prefix: list[int]
    piece: ScoreArrays
    cut: Cut

    def start_in(self, ticks_per_quarter: int) -> int:
        """The tick at which the span begins, from the beginning of the prefix."""
        return (self.cut.start - self.cut.begin) * ticks_per_quarter // self.piece.ticks_per_quarter

    def new_notes(self, ids: list[int], processor: MidiProcessor) -> tuple[ScoreTick, int]:
        """The notes of ids that follow, the span's beginning at tick 0; and how many begin before it, left out."""
        told, full = processor.decode(self.prefix), processor.decode([*self.prefix, *ids])
        new = new_music(full, told, from_zero=False)
        inside = excerpt(new, self.start_in(full.ticks_per_quarter))
        return inside, new.note_num() - inside.note_num()


class SpanPromptMaker:
    """
    Makes prompts, for a processor as it is now.

    Args:
        processor ([`MidiProcessor`]): encodes pieces; it has the tokens of infilling.
    """

    def __init__(self, processor: MidiProcessor):
        self.processor = processor
        self.encoder = CutEncoder(processor)

    def make(
        self,
        score: ScoreTick,
        where: PieceBars,
        bars: Bars,
        *,
        told: frozenset[int] | None,
        replaced: frozenset[int] | None,
        context_bars: int | None,
        room: Room,
    ) -> tuple[SpanPrompt, int]:
        """
        Makes the prompt of a span.

        Args:
            score ([`symusic.Score`]): the piece, in ticks of its file.
            where ([`PieceBars`]): its bars.
            bars (`tuple[int, int]`): of the span.
            told (`frozenset[int]`, *optional*): programs that the model is told to write; all tracks if `None`.
            replaced (`frozenset[int]`, *optional*): programs whose notes are taken out; all tracks if `None`.
            context_bars (`int`, *optional*): to tell on each side; as many as fit if `None`.
            room ([`Room`]): the tokens that there are.

        Returns:
            `tuple[SpanPrompt, int]`: the prompt, and how many tokens may follow it.

        Raises:
            [`RefusedFile`]: so much does not fit (`prompt_too_long`), the tokenizer keeps no note of the piece
                (`no_notes`), or as of [`PieceBars.ticks`].
        """
        ticks, whole = where.ticks(bars), quantised(score, self.processor)
        kept = quantised_apart(score, ticks, replaced, whole, where.cut(bars, 0, 0, told), self.processor)
        piece = kept if len(kept) else whole

        @functools.cache
        def prompt(around: int) -> SpanPrompt:
            """With so many bars around the span; of an odd number one more before it than after."""
            return self._prompt(piece, where.cut(bars, (around + 1) // 2, around // 2, told))

        def fits(around: int, needed: int) -> bool:
            return room.fits(len(prompt(around).ids), needed)

        def most(needed: int) -> int | None:
            return _most(lambda around: fits(around, needed), 2 * where.most_context)

        least, generous = self._needed(whole, where.cut(bars, 0, 0, told), room)
        wanted = 2 * (context_bars or 0)
        if not fits(wanted, least):
            raise _too_long(bars, context_bars or 0, len(prompt(wanted).ids), most(least), room, least)
        if context_bars is None:
            wanted = most(generous) or 0
        return prompt(wanted), room.left(len(prompt(wanted).ids), least)

    def _prompt(self, piece: ScoreArrays, cut: Cut) -> SpanPrompt:
        sample = self._sample(piece, cut)
        return SpanPrompt(sample.prompt(self.processor.infill_ids).tolist(), sample.prefix.tolist(), piece, cut)

    def _sample(self, piece: ScoreArrays, cut: Cut) -> InfillSample:
        (sample,) = self.encoder.samples([(piece, cut)])
        return sample

    def _needed(self, whole: ScoreArrays, cut: Cut, room: Room) -> tuple[int, int]:
        """
        Tokens to leave for a span: so many at least, and so many where music around it would take all others.

        At least, what it took and what one of the other instruments takes there, and [`LEAST_ROOM`]; else twice that,
        as far as it is half the context.
        """
        sample = self._sample(whole, cut)
        span = whole.taken((~cut.removed(whole)).nonzero()[0]).between(cut.start, cut.end)
        taken = len(sample.middle) + len(sample.given) // max(1, len(span.programs))
        least = max(LEAST_ROOM, taken)
        return least, max(least, 2 * taken if room.context is None else min(2 * taken, room.context // 2))


def quantised(score: ScoreTick, processor: MidiProcessor) -> ScoreArrays:
    """
    What of a piece a tokenizer writes.

    Raises:
        [`RefusedFile`]: it keeps no note (`no_notes`).
    """
    arrays = ScoreArrays.of(processor.quantise(score))
    if not len(arrays):
        raise RefusedFile("no_notes", f"{processor.tokenization} keeps no note of it")
    return arrays


def _most(fits: Callable[[int], bool], limit: int) -> int | None:
    """The largest number up to a limit that fits, where all smaller ones do; `None` where 0 does not."""
    if not fits(0):
        return None
    beyond = 1
    while beyond <= limit and fits(beyond):
        beyond *= 2
    return bisect_left(range(min(beyond, limit + 1)), True, key=lambda number: not fits(number)) - 1


def _too_long(bars: Bars, context_bars: int, length: int, most: int | None, room: Room, needed: int) -> RefusedFile:
    if most is not None:
        remedy = f"context_bars={most // 2} fits"
    else:
        remedy = "choose fewer bars" + (", or a smaller max_new_tokens" if length < room.context else "")
    return RefusedFile(
        "prompt_too_long",
        f"bars {bars} (counted from 0) with {context_bars} bars around them are {length} tokens of prompt, and "
        f"{room.wanted or needed} are left for new ones; the model reads {room.context}: {remedy}",
    )
