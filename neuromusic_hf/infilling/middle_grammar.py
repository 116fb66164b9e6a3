"""What holds a model to a middle: the grammar of its tokenizer, and the rule of each span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import miditok
import numpy as np
import torch

from ..grammar import TokenGrammar
from ..music.score_arrays import ScoreArrays
from ..tokenization import MidiProcessor
from .bar_rule import bars_rule
from .cuts import Cut
from .encoding import CutEncoder
from .middle_frame import MiddleFrame
from .middle_logits import MiddleLogitsProcessor
from .shift_rules import meters_rule, single_shifts_rule
from .span_rule import SpanRule
from .time_paths import TimePaths


@dataclass(frozen=True)
class Told:
    """
    What a prefix tells of time.

    Args:
        ticks (`int`): how long it is.
        meter (`int`, *optional*): base token of the last meter; `None` where it says none.
        nothing (`bool`): it has no base token of music.
    """

    ticks: int
    meter: int | None
    nothing: bool


class MiddleGrammar:
    """
    The language of middles. Made once for a processor.

    A middle keeps the grammar of its tokenizer, which goes on from the prefix, and the rule of its span: it has the
    span's bars, no more and no fewer, in their meters, and no tempo but the one in force at its beginning. EOM may
    come where the span is filled and no note is unfinished, and alone where nothing else may. Every middle that
    [`CutEncoder`] makes is legal; what is legal has no token error, lasts as long as the span, and never leads to
    where nothing is legal, after a prompt that [`CutEncoder`] made of music which the tokenizer writes.

    Args:
        processor ([`MidiProcessor`]): of REMI, TSD or Structured, with infill tokens.
        grammar ([`TokenGrammar`], *optional*): of the processor; compiled if not given.

    Attributes:
        grammar ([`TokenGrammar`]): of the tokenizer; its masks hold for middles too.

    Raises:
        `ValueError`: there are no rules for this tokenizer, or it cannot write every length of silence; or the
            processor has no infill tokens.

    Example:
    ```py
    >>> middle = MiddleGrammar(processor)
    >>> held = middle.logits_processor([middle.frame(piece, cut)])
    >>> model.generate(prompt, logits_processor=[held], eos_token_id=processor.infill_ids.end)
    ```
    """

    def __init__(self, processor: MidiProcessor, grammar: TokenGrammar | None = None):
        if processor.infill_ids is None:
            raise ValueError("The processor has no infill tokens: call its add_infill_tokens().")
        self.infill_ids = processor.infill_ids
        self.grammar = TokenGrammar.from_processor(processor) if grammar is None else grammar
        self.encoder = CutEncoder(processor)
        self.tokens, self.paths = self.grammar.tokens, TimePaths(self.grammar.tokens)
        tokenizer = processor.music_tokenizer
        self._positions = tokenizer.config.max_num_pos_per_beat
        self._meters = self.tokens.meters()
        self._shifts = {column: steps for column, steps in self.tokens.shifts(self._positions).items() if steps}
        self.is_one_shift = np.isin(self.paths.path, self._paths_of_one_shift())
        self.counts_bars = isinstance(tokenizer, miditok.REMI)
        self.begins_anew = isinstance(tokenizer, miditok.Structured)
        if not self.counts_bars and 1 not in self._shifts.values():
            raise ValueError(f"beat_res={tokenizer.config.beat_res} has no shift of one step: no middle has an end.")

    def frame(self, piece: ScoreArrays, cut: Cut) -> MiddleFrame:
        """
        What the middle of a cut has to fill.

        Args:
            piece ([`ScoreArrays`]): what [`MidiProcessor.quantise`] gave, as arrays; it has a note.
            cut ([`Cut`]): that the prompt was made with.

        Raises:
            `ValueError`: the tokenizer writes bars, and the cut is not at bar lines.
        """
        return MiddleFrame.of(self.encoder, piece, cut)

    def logits_processor(
        self,
        spans: Sequence[MiddleFrame],
        vocabulary_mask: torch.BoolTensor | None = None,
        max_new_tokens: int | None = None,
    ) -> MiddleLogitsProcessor:
        """What holds one call of `generate()` to its spans; arguments as of [`MiddleLogitsProcessor`]."""
        return MiddleLogitsProcessor(self, spans, vocabulary_mask, max_new_tokens)

    def rule(self, span: MiddleFrame, prefix: Sequence[int]) -> SpanRule:
        """
        The rule of a middle.

        Args:
            span ([`MiddleFrame`]): of its cut.
            prefix (sequence of `int`): ids, with or without BOS.

        Raises:
            `ValueError`: the prefix does not lead to the beginning of the span.
        """
        told = self._read(prefix, span.ticks_per_quarter)
        if self.counts_bars:
            return bars_rule(span, self.paths, opening=told.nothing)
        shifts = {int(self.paths.columns[column]): steps for column, steps in self._shifts.items()}
        if not self.begins_anew:
            steps = {meter: self._ticks_of_step(meter, span.ticks_per_quarter) for meter in [None, *self._meters]}
            return meters_rule(span, self.paths, shifts, steps, told.ticks - span.lead, told.meter)
        if told.ticks != span.lead:
            raise ValueError(f"The prefix lasts {told.ticks} ticks, not {span.lead}: make prompts with CutEncoder.")
        return single_shifts_rule(span, self.paths, shifts)

    def _read(self, prefix: Sequence[int], ticks_per_quarter: int) -> Told:
        ids = np.asarray(prefix, np.int64)
        columns = self.tokens.expansions[ids[ids < len(self.tokens.expansions)]].ravel()
        columns = columns[self.tokens.music[columns]]
        ticks, meter = 0, None
        for column in columns.tolist():
            if column in self._shifts:
                ticks += self._shifts[column] * self._ticks_of_step(meter, ticks_per_quarter)
            elif column in self._meters:
                meter = column
        return Told(ticks, meter, nothing=not len(columns))

    def _paths_of_one_shift(self) -> np.ndarray:
        """The paths that are a shift and nothing else."""
        is_alone = np.arange(len(self.paths.symbols)) >= self.paths.longer[1] if len(self.paths.longer) > 1 else True
        is_shift = np.isin(self.paths.symbols[:, 0], self.paths.columns[list(self._shifts)])
        return np.flatnonzero(is_alone & is_shift)

    def _ticks_of_step(self, meter: int | None, ticks_per_quarter: int) -> int:
        denominator = 4 if meter is None else self._meters[meter][1]
        return 4 * ticks_per_quarter // (denominator * self._positions)
