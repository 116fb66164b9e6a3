"""The logits processor that keeps a model from copying its training pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import LogitsProcessor

from ..copying import GuardCounts
from ..grammar.row_memory import RowMemory
from .guarded_row import GuardedPrompt, GuardedRow


@dataclass(frozen=True)
class GuardState:
    """
    Where each row of a batch stands.

    Args:
        rows (list of [`GuardedRow`]): one a row.
    """

    rows: list[GuardedRow]

    def select(self, rows: torch.LongTensor) -> GuardState:
        """The state of other rows."""
        return GuardState([self.rows[row] for row in rows.tolist()])


class CopyGuardLogitsProcessor(LogitsProcessor):
    """
    Rules out the notes that would make a run longer than a guard allows.

    It comes last, behind what else rules ids out. Where nothing else could follow, it lets a row be, and counts that.

    Args:
        prompts (sequence of [`GuardedPrompt`]): whose rows (beams, returned sequences) follow each other.
        width (`int`): tokens of the padded prompts.
    """

    supports_continuous_batching = False

    def __init__(self, prompts: Sequence[GuardedPrompt], width: int):
        self.prompts = list(prompts)
        self.guard = self.prompts[0].guard
        self.width = width
        self._memory: RowMemory[GuardState] = RowMemory()

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores of shape `(rows, ids)`, -inf for the ids that are ruled out; as many rows for each prompt."""
        rows = self._follow(input_ids)
        sounding = scores[:, self.guard.note_ids.ids.to(scores.device)].amax(dim=1) > -torch.inf
        ruled_out = {}
        for number in sounding.nonzero().flatten().tolist():
            if suspects := self.guard.suspects(rows[number]):
                of_row = scores[number]
                may_follow = (of_row > -torch.inf).cpu().numpy()
                legal = [index for index in suspects if may_follow[index]]
                if ids := [index for index in legal if self.guard.copies(rows[number], index)]:
                    is_forced = len(ids) == may_follow.sum()
                    self._count(input_ids, number, int(of_row.argmax()) in ids, is_forced)
                    if not is_forced:
                        ruled_out[number] = ids
        if not ruled_out:
            return scores
        scores = scores.clone()
        for number, ids in ruled_out.items():
            scores[number, ids] = -torch.inf
        return scores

    def _count(self, input_ids: torch.LongTensor, number: int, is_likeliest: bool, is_forced: bool):
        prompt = self.prompts[number // self._share(input_ids)]
        count = GuardCounts(let_through=1) if is_forced else GuardCounts(1, int(is_likeliest))
        prompt.events[tuple(input_ids[number, self.width :].tolist())] = count

    def _share(self, input_ids: torch.LongTensor) -> int:
        return len(input_ids) // len(self.prompts)

    def _follow(self, input_ids: torch.LongTensor) -> list[GuardedRow]:
        """The rows, read from where they are known."""
        state, known = self._memory.recall(input_ids)
        if state is None:
            share = self._share(input_ids)
            rows, known = [prompt.begin for prompt in self.prompts for _ in range(share)], self.width
        else:
            rows = state.rows
        for ids in input_ids[:, known:].t().tolist():
            rows = [self.guard.advance(row, index) for row, index in zip(rows, ids, strict=True)]
        self._memory.keep(input_ids, GuardState(rows))
        return rows
