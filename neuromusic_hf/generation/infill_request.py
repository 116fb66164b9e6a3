"""What a call of the midi-infilling pipeline asks for."""

import logging
import numbers
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from transformers import GenerationConfig

from ..infilling.drawing import LONGEST_MIDDLE
from ..music import RefusedFile
from .copy_guard import GuardSettings
from .limits import MusicLimit
from .piece_bars import Bars
from .pieces import PieceInput
from .prompts import PromptSettings
from .request import DEFAULT_NEW_TOKENS, Request, round_room

logger = logging.getLogger(__name__)

OF_PIECES = ("bars", "instruments")
"""Arguments that a piece may have itself, where it is given as a `dict`."""
TOO_SHORT = ("min_new_tokens", "min_length")
"""Arguments of `generate()` that would have music go on after the last bar."""
OF_CONTINUING = {
    GuardSettings: "filling in has no copy guard. Leave it out",
    MusicLimit: "a span ends with its last bar. Say which bars, as bars=(8, 12)",
    PromptSettings: "the model reads what is around a span. Say how many bars of it, as context_bars=4",
}
"""Settings of continuing, and why filling in has none of their arguments."""


@dataclass(frozen=True)
class InfillSettings:
    """
    What is cut out of a piece, and how much of the music around it is told.

    Args:
        bars (`tuple[int, int]`, `range`, `np.ndarray`, or sequence of them):
            The bars of a span, counted from 0: the first one, and the one after the last. So bars 9 to 12 of a printed
            score are `(8, 12)`, or `range(8, 12)`. Of several spans, which may touch and not overlap, what comes of
            one is the context of the next.
        context_bars (`int`, *optional*):
            Bars told before and after a span; as many as fit the model's context if not given.

    Raises:
        `ValueError`: bars are no such pairs, a span is empty, two overlap, or `context_bars` is negative.
    """

    bars: Sequence[Any] | np.ndarray = ()
    context_bars: int | None = None

    def __post_init__(self):
        for one, other in pairwise(sorted(self.spans)):
            if other[0] < one[1]:
                raise ValueError(f"bars={self.bars!r} overlap: {one} and {other}. Each bar is filled once.")
        wanted = self.context_bars
        if wanted is not None and not (_is_whole(wanted) and wanted >= 0):
            raise ValueError(f"context_bars={wanted!r} must be a whole number of bars, 0 or more.")

    @cached_property
    def spans(self) -> tuple[Bars, ...]:
        """The bars of each span, in the order given."""
        given = _plain(self.bars)
        if not isinstance(given, Sequence) or isinstance(given, str | bytes):
            raise ValueError(f"bars={self.bars!r} must be (first, end), or a list of such pairs.")
        is_one = isinstance(given, range) or len(given) == 2 and all(map(_is_whole, given))
        return tuple(map(self._span, [given] if is_one else given))

    def warn_of_long_spans(self):
        """Says in the log where a span has more bars than models are trained to fill in."""
        if long := [(first, end) for first, end in self.spans if end - first > LONGEST_MIDDLE]:
            logger.warning(
                "Models are trained to fill in %d bars at most, and bars %s (counted from 0) are more: what comes may "
                "be worse. Shorter spans, one after the other, are filled in with what came before.",
                LONGEST_MIDDLE,
                ", ".join(map(str, long)),
            )

    def _span(self, given: Any) -> Bars:
        pair = _plain(given)
        if isinstance(pair, range):
            if pair.step != 1:
                raise ValueError(f"bars={self.bars!r}: {pair} leaves bars out. Give a list of spans.")
            pair = pair.start, pair.stop
        if not isinstance(pair, Sequence) or len(pair) != 2 or not all(map(_is_whole, pair)):
            raise ValueError(f"bars={self.bars!r} must be (first, end), or a list of such pairs: {pair!r} is none.")
        first, end = map(int, pair)
        if not 0 <= first < end:
            raise ValueError(
                f"bars={self.bars!r}: ({first}, {end}) is no span. Bars count from 0, and the second number is that "
                "of the bar after the last: (0, 4) are the first four."
            )
        return first, end


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


@dataclass(frozen=True)
class Room:
    """
    The tokens that there are for a prompt and what follows it.

    Args:
        context (`int`, *optional*): for both; any number if `None`.
        wanted (`int`, *optional*): for what follows, where that is said.
    """

    context: int | None
    wanted: int | None

    @classmethod
    def of(cls, settings: GenerationConfig, context: int | None) -> "Room":
        """By what is in force for a request, and the tokens that the model reads."""
        if settings.max_new_tokens is None and settings.max_length is not None:
            context = min(settings.max_length, settings.max_length if context is None else context)
        return cls(context, settings.max_new_tokens)

    def fits(self, length: int, needed: int) -> bool:
        """Whether a prompt of a length leaves what is needed."""
        return self.context is None or length + (self.wanted or needed) <= self.context

    def left(self, length: int, needed: int) -> int:
        """Most tokens that may follow a prompt that fits."""
        if self.wanted is not None:
            return self.wanted
        return max(DEFAULT_NEW_TOKENS, needed) if self.context is None else round_room(self.context - length)


@dataclass(frozen=True, kw_only=True)
class InfillRequest(Request):
    """
    What one call of the pipeline asks for.

    Args:
        infill ([`InfillSettings`]): what is cut out.
        control, seed, generation: as of [`Request`].

    Raises:
        `ValueError`: a value is out of range, or asks for what the file has already.
    """

    infill: InfillSettings

    def __post_init__(self):
        super().__post_init__()
        if self.control.tempo is not None:
            raise ValueError(f"tempo={self.control.tempo} cannot be had: the file keeps its own. Leave it out.")
        for settings, why in OF_CONTINUING.items():
            if asked := [entry.name for entry in fields(settings) if entry.name in self.generation]:
                raise ValueError(f"{' and '.join(asked)} cannot be had: {why}.")

    def check(self, settings: GenerationConfig):
        """Raises `ValueError` where what is in force would have a span go on after its last bar."""
        for name in TOO_SHORT:
            if value := getattr(settings, name, None):
                raise ValueError(f"{name}={value} cannot be had: a span ends with its last bar. Leave it out.")

    def of_piece(self, piece: PieceInput) -> "InfillRequest":
        """
        This request, with what a piece given as a `dict` says itself.

        Raises:
            [`RefusedFile`]: that cannot be (`wrong_bars`, `wrong_instruments`), or neither says bars (`wrong_bars`).
        """
        own = {}
        if isinstance(piece.midi, dict) and not piece.stored:
            own = {name: piece.midi[name] for name in OF_PIECES if piece.midi.get(name) is not None}
        request = self
        if "bars" in own:
            with refused_as("wrong_bars"):
                request = replace(request, infill=replace(self.infill, bars=own["bars"]))
        if "instruments" in own:
            with refused_as("wrong_instruments"):
                request = replace(request, control=replace(self.control, instruments=own["instruments"]))
        if not request.infill.spans:
            raise RefusedFile(
                "wrong_bars", "say what to fill in: bars=(8, 12) are bars 9 to 12 of a score, as bars count from 0"
            )
        return request


@contextmanager
def refused_as(reason: str) -> Iterator[None]:
    """What a piece itself asks for and cannot have is a reason to refuse it, and it alone."""
    try:
        yield
    except ValueError as error:
        raise RefusedFile(reason, str(error).rstrip(".")) from error
