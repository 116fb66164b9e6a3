"""The logits processor that holds a model to the grammar of its tokenizer."""

import torch
from transformers import LogitsProcessor

from ..tokenization.processing_midi import MidiProcessor
from .token_grammar import GrammarState, TokenGrammar

ROW_HASH = 0x9E3779B97F4A7C15 - 2**64
"""An odd number whose powers weigh the ids of a row in its hash."""


class GrammarLogitsProcessor(LogitsProcessor):
    """
    Lets a model write nothing but what its tokenizer could have written.

    The state of a row depends on its ids alone, from the beginning of the prompt: left padding, BOS or none, and beam
    search are all the same to it. What it saw last is kept, so that a step costs the same however long the rows are;
    rows it does not know are read from their first id, one step an id.

    A prompt that breaks the grammar is followed as decoding would, and what comes after it is legal. Ids that are not
    miditok's are never legal: those of added tokens, and of models with more ids than tokens.

    Args:
        grammar ([`TokenGrammar`] or [`MidiProcessor`]): of the model's vocabulary.
        vocabulary_mask (`torch.BoolTensor` of shape `(vocabulary,)` or `(prompts, vocabulary)`, *optional*):
            Ids that may be used, as from [`TokenGrammar.vocabulary_mask`]: by all rows, or by the rows of each prompt
            (its beams or returned sequences, which follow each other as `generate` puts them).

    Raises:
        `ValueError`: the tokenizer has no rules; on call, scores are for fewer ids than the vocabulary has, or the
            rows are no multiple of the masks.

    Example:
    ```py
    >>> from neuromusic_hf.grammar import GrammarLogitsProcessor
    >>> ids = model.generate(**prompt, do_sample=True, logits_processor=[GrammarLogitsProcessor(processor)])
    ```
    """

    supports_continuous_batching = False

    def __init__(self, grammar: TokenGrammar | MidiProcessor, vocabulary_mask: torch.BoolTensor | None = None):
        self.grammar = grammar if isinstance(grammar, TokenGrammar) else TokenGrammar.from_processor(grammar)
        self._mask_of_prompt = None
        if vocabulary_mask is not None:
            masks, of_prompt = torch.unique(torch.atleast_2d(vocabulary_mask), dim=0, return_inverse=True)
            self.grammar = self.grammar.restricted(masks)
            self._mask_of_prompt = of_prompt if vocabulary_mask.dim() > 1 else None
        self._last: tuple[torch.Tensor, GrammarState] | None = None

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """
        Rules out what is not legal after the rows.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch, length)`): prompts and what was generated.
            scores (`torch.FloatTensor` of shape `(batch, ids)`): of the next id.

        Returns:
            `torch.FloatTensor` of shape `(batch, ids)`: minus infinity where an id is not legal.
        """
        vocab_size = self.grammar.vocab_size
        if scores.shape[1] < vocab_size:
            raise ValueError(f"The model has scores for {scores.shape[1]} ids, and the grammar has {vocab_size}.")
        if self.grammar.device != scores.device:
            self.grammar, self._last = self.grammar.to(scores.device), None
        legal = self.grammar.legal(self._follow(input_ids), self._masks_of_rows(input_ids))
        if scores.shape[1] > vocab_size:
            legal = torch.nn.functional.pad(legal, (0, scores.shape[1] - vocab_size))
        return torch.where(legal, scores, -torch.inf)

    def _masks_of_rows(self, input_ids: torch.LongTensor) -> torch.LongTensor | None:
        if self._mask_of_prompt is None:
            return None
        repeats, rest = divmod(len(input_ids), len(self._mask_of_prompt))
        if rest:
            raise ValueError(f"{len(input_ids)} rows cannot share {len(self._mask_of_prompt)} masks evenly.")
        return self._mask_of_prompt.to(input_ids.device).repeat_interleave(repeats)

    def _follow(self, input_ids: torch.LongTensor) -> GrammarState:
        state, known = self._recall(input_ids)
        new = input_ids[:, known:]
        new = new.masked_fill(new >= self.grammar.vocab_size, self.grammar.tokens.special_ids["PAD"])
        for ids in new.unbind(dim=1):
            state = self.grammar.advance(state, ids)
        self._last = input_ids.clone(), state
        return state

    def _recall(self, input_ids: torch.LongTensor) -> tuple[GrammarState, int]:
        """The state after as many ids as were seen last, where rows go on from those, in whatever order."""
        if self._last is not None:
            seen, state = self._last
            length = seen.shape[1]
            beginnings = input_ids[:, :length]
            if torch.equal(beginnings, seen):
                return state, length
            if 0 < length <= input_ids.shape[1]:
                parents = _likely_rows(beginnings, seen)
                if torch.equal(beginnings, seen[parents]):
                    return state.select(parents), length
        return self.grammar.begin(len(input_ids)), 0


def _likely_rows(rows: torch.LongTensor, seen: torch.LongTensor) -> torch.LongTensor:
    """For each of `rows` the first of `seen` with the same hash, if any: shape `(batch,)`."""
    weights = torch.full((rows.shape[1],), ROW_HASH, device=rows.device).cumprod(dim=0)
    keys, seen_keys = ((each * weights).sum(dim=1) for each in (rows, seen))
    return (keys[:, None] == seen_keys).int().argmax(dim=1)
