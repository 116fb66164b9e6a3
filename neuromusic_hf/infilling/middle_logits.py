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
from .span import Span
from .span_rule import ENDED, LiftedRule

if TYPE_CHECKING:
    from .middle_grammar import MiddleGrammar


@dataclass(frozen=True)
class MiddleState:
    """
    Where each row of a batch is.

    Args:
        grammar ([`GrammarState`]): in the grammar of the tokenizer.
        prompts (`list[int]`): the prompt of each row.
        places (`list[int]`): the state of each row in the rule of its prompt, or `ENDED`.
    """

    grammar: GrammarState
    prompts: list[int]
    places: list[int]

    def select(self, rows: torch.LongTensor) -> MiddleState:
        """The state of other rows."""
        chosen = rows.tolist()
        prompts, places = ([values[row] for row in chosen] for values in (self.prompts, self.places))
        return MiddleState(self.grammar.select(rows), prompts, places)


class MiddleLogitsProcessor(LogitsProcessor):
    """
    Lets a model write nothing but middles that fill their spans, as [`MiddleGrammar`] says.

    It is for one call of `generate()`; [`MiddleGrammar.logits_processor`] makes it.

    What stands before PRE does not matter to a row, nor does left padding. PRE begins a piece, and the MID behind it
    changes nothing, but in Structured, whose middles count from there, it begins one too. After EOM comes PAD.

    Args:
        middle ([`MiddleGrammar`]): of the model's vocabulary.
        spans (sequence of [`Span`]): one a prompt, whose rows (beams, returned sequences) follow each other.
        vocabulary_mask (`torch.BoolTensor` of shape `(vocabulary,)` or `(prompts, vocabulary)`, *optional*):
            Ids that may be used, as from [`TokenGrammar.vocabulary_mask`]: by all rows, or by those of each prompt.

    Raises:
        `ValueError`: on call: a row is no prompt of [`CutEncoder`] for its span, the model has no scores for the
            infill tokens, or the rows are no multiple of the spans.
    """

    supports_continuous_batching = False

    def __init__(self, middle: MiddleGrammar, spans: Sequence[Span], vocabulary_mask: torch.BoolTensor | None = None):
        self.middle, self.spans = middle, list(spans)
        self.grammar, self._mask_of_prompt = restrict_to_masks(middle.grammar, vocabulary_mask)
        self._rules: dict[int, LiftedRule] = {}
        self._memory: RowMemory[MiddleState] = RowMemory()
        self._path = torch.from_numpy(middle.paths.path)
        self._is_shift = torch.from_numpy(middle.is_one_shift)
        special = middle.tokens.special_ids
        self._pad, self._bos = special["PAD"], special["BOS"]

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
            self.grammar = self.grammar.to(scores.device)
            self._path, self._is_shift = self._path.to(scores.device), self._is_shift.to(scores.device)
            self._memory.forget()
        state, is_new = self._follow(input_ids)
        mask_of_row = None
        if self._mask_of_prompt is not None:
            mask_of_row = share_among_rows(self._mask_of_prompt, input_ids, "masks")
        legal = self._legal(state, self.grammar.legal(state.grammar, mask_of_row), scores.shape[1])
        if is_new and not legal.any(dim=1).all():
            raise ValueError("The prefix of a prompt ends where no middle can begin: make prompts with CutEncoder.")
        return torch.where(legal, scores, -torch.inf)

    def _legal(self, state: MiddleState, of_grammar: torch.BoolTensor, width: int) -> torch.BoolTensor:
        """The ids that may come, of all that the model has: shape `(batch, width)`."""
        rows = [self._rules[prompt] for prompt in state.prompts]
        found = [rule.at(place) for rule, place in zip(rows, state.places, strict=True)]
        paths, ends, closes = zip(*found, strict=True)
        of_rule = torch.from_numpy(np.stack(paths)).to(of_grammar.device).index_select(1, self._path)
        if any(closes):
            of_grammar = of_grammar | (torch.tensor(closes, device=of_grammar.device)[:, None] & self._is_shift)
        legal = torch.nn.functional.pad(of_grammar & of_rule, (0, width - of_rule.shape[1]))
        legal[:, self.middle.infill_ids.end] = torch.tensor(ends, device=legal.device)
        if ENDED in state.places:
            legal[:, self._pad] = torch.tensor([place == ENDED for place in state.places], device=legal.device)
        return legal

    def _follow(self, input_ids: torch.LongTensor) -> tuple[MiddleState, bool]:
        """The state after the rows, and whether they were new."""
        prompts = share_among_rows(torch.arange(len(self.spans)), input_ids, "spans").tolist()
        state, known = self._memory.recall(input_ids)
        is_known = state is not None and state.prompts == prompts  # prompts of the same ids may have other spans
        if state is not None and is_known:
            state = self._advance(state, input_ids[:, known:])
        else:
            state = self._open(input_ids, prompts)
        self._memory.keep(input_ids, state)
        return state, not is_known

    def _open(self, input_ids: torch.LongTensor, prompts: list[int]) -> MiddleState:
        """The state after rows that are not known."""
        ids = self.middle.infill_ids
        begins, places = [], []
        for row, prompt in zip(input_ids.tolist(), prompts, strict=True):
            if ids.prefix not in row or ids.middle not in row[_last(row, ids.prefix) :]:
                raise ValueError("A row has no PRE with a MID behind it: make prompts with CutEncoder.")
            begin, middle = _last(row, ids.prefix), _last(row, ids.middle)
            if prompt not in self._rules:
                rule = self.middle.rule(self.spans[prompt], row[begin + 1 : middle])
                self._rules[prompt] = LiftedRule(rule, self.middle.paths)
            begins.append(begin)
            places.append(self._walk(prompt, self._rules[prompt].rule.begin, row[middle + 1 :]))
        state = self.grammar.begin(len(input_ids))
        for column in self._as_read(input_ids[:, min(begins) :]).unbind(dim=1):
            state = self.grammar.advance(state, column)
        return MiddleState(state, prompts, places)

    def _advance(self, state: MiddleState, new: torch.LongTensor) -> MiddleState:
        grammar = state.grammar
        for column in self._as_read(new).unbind(dim=1):
            grammar = self.grammar.advance(grammar, column)
        rows = zip(state.prompts, state.places, new.tolist(), strict=True)
        return MiddleState(grammar, state.prompts, [self._walk(*row) for row in rows])

    def _as_read(self, ids: torch.LongTensor) -> torch.LongTensor:
        """Ids as the grammar of the tokenizer has them."""
        begins = ids == self.middle.infill_ids.prefix
        if self.middle.begins_anew:
            begins |= ids == self.middle.infill_ids.middle
        ids = ids.masked_fill(ids >= self.grammar.vocab_size, self._pad)
        return ids.masked_fill(begins, self._bos)

    def _walk(self, prompt: int, place: int, ids: list[int]) -> int:
        """The place after ids of the middle."""
        rule = self._rules[prompt]
        for index in ids:
            if index == self.middle.infill_ids.end:
                return ENDED
            if place != ENDED and index < self.grammar.vocab_size:
                place = rule.advance(place, int(rule.paths.path[index]))
        return place


def _last(row: list[int], index: int) -> int:
    return len(row) - 1 - row[::-1].index(index)
