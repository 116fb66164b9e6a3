"""The logits processor that holds a model to the middles of its prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from transformers import LogitsProcessor

from ..grammar.logits import restrict_to_masks, share_among_rows
from ..grammar.row_memory import RowMemory
from ..grammar.token_grammar import GrammarState
from .middle_frame import MiddleFrame
from .span_rules import ENDED, NO_WAY, SpanRules

if TYPE_CHECKING:
    from .middle_grammar import MiddleGrammar


RESERVE = 16
"""Ids that are kept beside the shortest way to the end: for a note that is begun, and one amid a silence."""


@dataclass(frozen=True)
class MiddleState:
    """
    Where each row of a batch is.

    Args:
        grammar ([`GrammarState`]): in the grammar of the tokenizer.
        prompts (`np.ndarray` of shape `(batch,)`): the prompt of each row.
        places (`np.ndarray` of shape `(batch,)`): the place of each row in the rules of the spans.
    """

    grammar: GrammarState
    prompts: np.ndarray
    places: np.ndarray

    def select(self, rows: torch.LongTensor) -> MiddleState:
        """The state of other rows."""
        chosen = rows.cpu().numpy()
        return MiddleState(self.grammar.select(rows), self.prompts[chosen], self.places[chosen])


class MiddleLogitsProcessor(LogitsProcessor):
    """
    Lets a model write nothing but middles that fill their spans, as [`MiddleGrammar`] says.

    It is for one call of `generate()`; [`MiddleGrammar.logits_processor`] makes it.

    What stands before PRE does not matter to a row, nor does left padding. PRE begins a piece, and the MID behind it
    changes nothing, but in Structured, whose middles count from there, it begins one too. After EOM comes PAD.

    Where it is known how many ids may come, those are ruled out after which too few would be left for the rest of the
    span. So it is filled, if only with silence, but where there are fewer than the silence takes.

    Args:
        middle ([`MiddleGrammar`]): of the model's vocabulary.
        spans (sequence of [`MiddleFrame`]): one a prompt, whose rows (beams, returned sequences) follow each other.
        vocabulary_mask (`torch.BoolTensor` of shape `(vocabulary,)` or `(prompts, vocabulary)`, *optional*):
            Ids that may be used, as from [`TokenGrammar.vocabulary_mask`]: by all rows, or by those of each prompt.
        max_new_tokens (`int`, *optional*): ids that may come, with EOM, at most; any number if not given.

    Raises:
        `ValueError`: there is no span; or on call: a row is no prompt of [`CutEncoder`] for its span, the model has no
            scores for EOM, or the rows are no multiple of the spans or masks.
    """

    supports_continuous_batching = False

    def __init__(
        self,
        middle: MiddleGrammar,
        spans: Sequence[MiddleFrame],
        vocabulary_mask: torch.BoolTensor | None = None,
        max_new_tokens: int | None = None,
    ):
        if not spans:
            raise ValueError("There is no span: give one for each prompt.")
        self.middle, self.spans = middle, list(spans)
        self.grammar, self._mask_of_prompt = restrict_to_masks(middle.grammar, vocabulary_mask)
        self._rules: SpanRules
        self._max_new_tokens, self._begin = max_new_tokens, 0
        self._lengths = (middle.tokens.expansions != len(middle.tokens.words) - 1).sum(axis=1)
        self._is_shift = torch.from_numpy(middle.is_one_shift)
        self._pad = middle.tokens.special_ids["PAD"]
        self._memory: RowMemory[MiddleState] = RowMemory()

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """
        Rules out what is not legal after the rows.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch, length)`): prompts and what was generated.
            scores (`torch.FloatTensor` of shape `(batch, ids)`): of the next id.

        Returns:
            `torch.FloatTensor` of shape `(batch, ids)`: minus infinity where an id is not legal.
        """
        end = self.middle.infill_ids.end
        if scores.shape[1] <= end:
            raise ValueError(f"The model has scores for {scores.shape[1]} ids, and EOM is id {end}: add its rows.")
        if self.grammar.device != scores.device:
            self.grammar, self._is_shift = self.grammar.to(scores.device), self._is_shift.to(scores.device)
            self._memory.forget()
        mask_of_row = None
        if self._mask_of_prompt is not None:
            mask_of_row = share_among_rows(self._mask_of_prompt, input_ids, "masks")
        repeats, rest = divmod(len(input_ids), len(self.spans))
        if rest:
            raise ValueError(f"{len(input_ids)} rows cannot share {len(self.spans)} spans evenly.")
        state, is_new = self._follow(input_ids, np.arange(len(input_ids)) // repeats)
        legal = self._legal(state.places, self.grammar.legal(state.grammar, mask_of_row), scores.shape[1])
        if is_new and not legal.any(dim=1).all():
            raise ValueError("The prefix of a prompt ends where no middle can begin: make prompts with CutEncoder.")
        if self._max_new_tokens is not None:
            legal = self._in_time(state.places, legal, self._begin + self._max_new_tokens - input_ids.shape[1])
        return torch.where(legal, scores, -torch.inf)

    def _in_time(self, places: np.ndarray, legal: torch.BoolTensor, ids_left: int) -> torch.BoolTensor:
        """Of what may come that which leaves enough ids for the way to the end; where nothing does, the shortest."""
        rows = np.flatnonzero(self._rules.left(places) + 2 * RESERVE >= ids_left)
        if not len(rows):
            return legal
        after = np.full((len(rows), legal.shape[1]), NO_WAY)
        after[:, : self.grammar.vocab_size] = self._rules.left_after(places[rows])
        after[:, self.middle.infill_ids.end] = -RESERVE
        may_come = legal[torch.from_numpy(rows)].cpu().numpy()
        fits = may_come & (after + RESERVE < ids_left)
        # Of ids that lead as far those of fewer base tokens, or one that begins more notes might come again and again.
        way = after * (int(self._lengths.max()) + 1)
        way[:, : self.grammar.vocab_size] += self._lengths
        way[~may_come] = np.iinfo(way.dtype).max
        shortest = may_come & (way == way.min(axis=1, keepdims=True))
        chosen = np.where(fits.any(axis=1, keepdims=True), fits, shortest)
        legal[torch.from_numpy(rows)] = torch.from_numpy(chosen).to(legal.device)
        return legal

    def _legal(self, places: np.ndarray, of_grammar: torch.BoolTensor, width: int) -> torch.BoolTensor:
        """The ids that may come, of all that the model has: shape `(batch, width)`."""
        device, rules = of_grammar.device, self._rules
        if (closes := rules.closes(places)).any():
            of_grammar = of_grammar | (torch.from_numpy(closes).to(device)[:, None] & self._is_shift)
        legal = of_grammar & torch.from_numpy(rules.legal(places)).to(device)
        legal = torch.nn.functional.pad(legal, (0, width - legal.shape[1]))
        legal[:, self.middle.infill_ids.end] = torch.from_numpy(rules.ends(places)).to(device)
        if (has_ended := places == ENDED).any():
            legal[:, self._pad] = torch.from_numpy(has_ended).to(device)
        return legal

    def _follow(self, input_ids: torch.LongTensor, prompts: np.ndarray) -> tuple[MiddleState, bool]:
        """The state after the rows, which are of these prompts, and whether they are new."""
        state, known = self._memory.recall(input_ids)
        # Prompts of the same ids may have other spans.
        is_new = state is None or not np.array_equal(state.prompts, prompts)
        if state is None or is_new:
            state = self._open(input_ids, prompts)
        else:
            state = self._advance(state, input_ids[:, known:])
        self._memory.keep(input_ids, state)
        return state, is_new

    def _open(self, input_ids: torch.LongTensor, prompts: np.ndarray) -> MiddleState:
        """The state after rows that are not known."""
        special, rows = self.middle.infill_ids, input_ids.cpu().numpy()
        begins, middles = (_last_columns(rows == index) for index in (special.prefix, special.middle))
        if (begins < 0).any() or (middles < begins).any():
            raise ValueError("A row has no PRE with a MID behind it: make prompts with CutEncoder.")
        self._begin = int(middles.max()) + 1
        first = np.searchsorted(prompts, np.arange(len(self.spans))).tolist()
        prefixes = [rows[row, begins[row] + 1 : middles[row]] for row in first]
        rules = [self.middle.rule(span, prefix) for span, prefix in zip(self.spans, prefixes, strict=True)]
        self._rules = SpanRules(rules, self.middle.paths)
        state = self.grammar.begin(len(rows))
        for column in self._as_read(input_ids[:, begins.min() :]).unbind(dim=1):
            state = self.grammar.advance(state, column)
        places = self._rules.begin[prompts]
        for column in range(int(middles.min()) + 1, rows.shape[1]):
            places = np.where(column > middles, self._step(places, rows[:, column]), places)
        return MiddleState(state, prompts, places)

    def _advance(self, state: MiddleState, new: torch.LongTensor) -> MiddleState:
        grammar, places = state.grammar, state.places
        for column in new.masked_fill(new >= self.grammar.vocab_size, self._pad).unbind(dim=1):
            grammar = self.grammar.advance(grammar, column)
        for ids in new.cpu().numpy().T:
            places = self._step(places, ids)
        return MiddleState(grammar, state.prompts, places)

    def _as_read(self, ids: torch.LongTensor) -> torch.LongTensor:
        """Ids as the grammar of the tokenizer has them."""
        special, known = self.middle.infill_ids, self.middle.tokens.special_ids
        begins = ids == special.prefix
        if self.middle.begins_anew:
            begins |= ids == special.middle
        return ids.masked_fill(ids >= self.grammar.vocab_size, known["PAD"]).masked_fill(begins, known["BOS"])

    def _step(self, places: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """The places after one more id a row, of the middle; PAD changes nothing."""
        after = self._rules.advance(places, np.where(ids < self.grammar.vocab_size, ids, self._pad))
        return np.where(ids == self.middle.infill_ids.end, ENDED, after)


def _last_columns(found: np.ndarray) -> np.ndarray:
    """The last column of each row where something was found; -1 where it was not."""
    width = found.shape[1]
    return np.where(found.any(axis=1), width - 1 - found[:, ::-1].argmax(axis=1), -1)
