"""What a run of infills is asked to do, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ..disk import left_out_if_none
from ..ranges import Range, check_ranges, check_seed

if TYPE_CHECKING:
    from ..generation import MidiInfillingPipeline

AS_IN_PIECE = "prompt"

INFILL_RANGES = {
    "span_bars": Range(1, "bars"),
    "context_bars": Range(0, "bars"),
    "max_new_tokens": Range(1, "tokens"),
    "num_return_sequences": Range(1, "takes"),
    "batch_size": Range(1, "pieces"),
}


@dataclass(frozen=True)
class InfillSettings:
    """
    How pieces are infilled: whatever decides about the notes.

    Args:
        bars (list of `tuple[int, int]`, *optional*):
            Spans to fill, the same in each piece: first bar and end (exclusive), from 0.
        span_bars (`int`, *optional*): draw a span of so many bars in each piece, by the seed, in place of `bars`.
        draw_program (`bool`, *optional*, defaults to `False`):
            Draw one program in each piece, of those that sound in the span, by the seed, in place of `instruments`.
        instruments (list of `int` or `str`, or `"prompt"`, *optional*):
            As of [`Control`], as the next two. All tracks if neither this nor `draw_program` is given.
        drums (`bool`, *optional*): whether drums may sound.
        pitch_range (`tuple[int, int]`, *optional*): lowest and highest MIDI pitch of what is not drums.
        context_bars (`int`, *optional*): before and after a span; as many as the model reads if not given.
        max_new_tokens (`int`, *optional*): most tokens of a span; what the context leaves if not given.
        num_return_sequences (`int`, *optional*, defaults to 1): takes of each piece.
        batch_size (`int`, *optional*, defaults to 8): pieces infilled together.
        seed (`int`, *optional*, defaults to 0): of the choice of pieces, of spans, and of the sampling.
        constrained (`bool`, *optional*, defaults to `True`): only tokens that the tokenizer's grammar allows.
        generation (`dict`, *optional*): arguments of `model.generate()` that go before the model's own
            `generation_config`; none if not given.

    Raises:
        `ValueError`: a number is out of range, or the wishes contradict each other.
    """

    bars: list[tuple[int, int]] | None = None
    span_bars: int | None = None
    draw_program: bool = False
    instruments: str | list[int | str] | None = None
    drums: bool | None = None
    pitch_range: tuple[int, int] | None = None
    context_bars: int | None = None
    max_new_tokens: int | None = None
    num_return_sequences: int = 1
    batch_size: int = 8
    seed: int = 0
    constrained: bool = True
    generation: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_ranges(self, INFILL_RANGES)
        check_seed(self.seed)
        if not self.bars and self.span_bars is None:
            raise ValueError(
                "Say which bars to fill: bars, from 0 (8 12 are the four from the ninth on), or span_bars."
            )
        if self.bars and self.span_bars is not None:
            raise ValueError(f"bars={self.bars} says which bars to fill, and span_bars={self.span_bars}: give one.")
        if self.draw_program and self.instruments is not None:
            raise ValueError(
                f"draw_program draws an instrument, and instruments={self.instruments} names it: give one."
            )

    def as_record(self, sampling: dict[str, Any] | None = None) -> InfillingRecord:
        """
        What is recorded of them.

        Args:
            sampling (`dict`, *optional*): how tokens are chosen with these settings and this model.
        """
        return InfillingRecord(**asdict(self), sampling=sampling)

    @property
    def draws(self) -> bool:
        """Whether something is drawn in each piece."""
        return self.span_bars is not None or self.draw_program

    def check(self, pipeline: MidiInfillingPipeline) -> None:
        """Raises `ValueError` where a program is to be drawn, and the tokenizer writes none."""
        if self.draw_program and not pipeline.controller.programs:
            raise ValueError(
                f"draw_program draws an instrument, and the tokenizer ({pipeline.processor.tokenization}) writes "
                "none: leave it out."
            )

    @property
    def arguments(self) -> dict[str, Any]:
        """What was asked for of all pieces alike, as arguments of the midi-infilling pipeline."""
        asked = {
            "bars": [(first, end) for first, end in self.bars] if self.bars else None,
            "instruments": self.instruments,
            "drums": self.drums,
            "pitch_range": tuple(self.pitch_range) if self.pitch_range else None,
            "context_bars": self.context_bars,
            "max_new_tokens": self.max_new_tokens,
            "num_return_sequences": self.num_return_sequences if self.num_return_sequences > 1 else None,
            "seed": self.seed,
            "constrained": self.constrained,
        }
        return {name: value for name, value in asked.items() if value is not None} | self.generation


@dataclass(frozen=True, kw_only=True)
class InfillingRecord(InfillSettings):
    """
    How the pieces of a run were infilled.

    Attributes:
        sampling (`dict`, *optional*): how tokens were chosen, as of [`ContinuationRecord`].
    """

    sampling: dict[str, Any] | None = left_out_if_none()


def named_instruments(words: Sequence[str] | None) -> str | list[int | str] | None:
    """The instruments that words of a command line name: whole numbers are programs; `prompt` alone is that."""
    if words is None:
        return None
    if list(words) == [AS_IN_PIECE]:
        return AS_IN_PIECE
    return [int(word) if word.removeprefix("-").isdecimal() else word for word in words]
