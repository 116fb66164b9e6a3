"""The logits processor that holds a model to the grammar of its tokenizer."""

import torch
from transformers import LogitsProcessor

from ..tokenization.processing_midi import MidiProcessor
from .row_memory import RowMemory
from .token_grammar import GrammarState, TokenGrammar


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
        grammar = grammar if isinstance(grammar, TokenGrammar) else TokenGrammar.from_processor(grammar)
        self.grammar, self._mask_of_prompt = restrict_to_masks(grammar, vocabulary_mask)
        self._memory: RowMemory[GrammarState] = RowMemory()

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
            self.grammar = self.grammar.to(scores.device)
            self._memory.forget()
        mask_of_row = None
        if self._mask_of_prompt is not None:
            mask_of_row = share_among_rows(self._mask_of_prompt, input_ids, "masks")
        legal = self.grammar.legal(self._follow(input_ids), mask_of_row)
        if scores.shape[1] > vocab_size:
            legal = torch.nn.functional.pad(legal, (0, scores.shape[1] - vocab_size))
        return torch.where(legal, scores, -torch.inf)

    def _follow(self, input_ids: torch.LongTensor) -> GrammarState:
        state, known = self._memory.recall(input_ids)
        if state is None:
            state = self.grammar.begin(len(input_ids))
        new = input_ids[:, known:]
        new = new.masked_fill(new >= self.grammar.vocab_size, self.grammar.tokens.special_ids["PAD"])
        for ids in new.unbind(dim=1):
            state = self.grammar.advance(state, ids)
        self._memory.keep(input_ids, state)
        return state


def restrict_to_masks(
    grammar: TokenGrammar, vocabulary_mask: torch.BoolTensor | None
) -> tuple[TokenGrammar, torch.LongTensor | None]:
    """A grammar with its masks, each once, and the mask of each prompt, if there is one for each."""
    if vocabulary_mask is None:
        return grammar, None
    masks, of_prompt = torch.unique(torch.atleast_2d(vocabulary_mask), dim=0, return_inverse=True)
    return grammar.restricted(masks), of_prompt if vocabulary_mask.dim() > 1 else None


def share_among_rows(of_prompt: torch.LongTensor, input_ids: torch.LongTensor, what: str) -> torch.LongTensor:
    """
    What each prompt has, for the rows that are its own: shape `(batch,)`.

    Raises:
        `ValueError`: the rows are no multiple of the prompts.
    """
    repeats, rest = divmod(len(input_ids), len(of_prompt))
    if rest:
        raise ValueError(f"{len(input_ids)} rows cannot share {len(of_prompt)} {what} evenly.")
    return of_prompt.to(input_ids.device).repeat_interleave(repeats)
