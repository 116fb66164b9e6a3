"""An n-gram as a causal language model of transformers: it continues pieces as any other model does.

It predicts as [`ngrams.count_and_predict`], which knows what comes; this one is asked for every token that may.
"""

from dataclasses import dataclass

import numpy as np
import torch
from ngrams import estimate_discounts, numbered_runs
from torch import nn
from transformers import GenerationConfig, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput


@dataclass
class Order:
    """
    The runs of n tokens in the train texts, for one n.

    Args:
        keys (`np.ndarray` of shape `(runs,)`):
            Ascending: the number of the run of n - 1 tokens that each begins with, times the ids there are, plus its
            last token. Places in it are the numbers of these runs.
        shares (`np.ndarray` of shape `(runs,)`): of the last token, after what precedes it, discounted.
        left (`np.ndarray` of shape `(shorter runs,)`): what is left to the lower order after each run of n - 1 tokens.
    """

    keys: np.ndarray
    shares: np.ndarray
    left: np.ndarray

    def numbers(self, shorter: np.ndarray, tokens: np.ndarray, vocab_size: int) -> np.ndarray:
        """The numbers of runs, -1 of those that are not there, by those of all but their last tokens, and these."""
        keys = shorter * vocab_size + tokens
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where((shorter >= 0) & (self.keys[places] == keys), places, -1)


@dataclass
class Ngrams:
    """
    n-grams of train texts, with interpolated modified Kneser-Ney smoothing.

    Args:
        orders (`list[Order]`): for n = 1, 2, ...
        vocab_size (`int`): ids there are.
    """

    orders: list[Order]
    vocab_size: int

    @classmethod
    def count(cls, train: list[np.ndarray], vocab_size: int, n: int) -> "Ngrams":
        """
        Counts runs of up to `n` tokens.

        Args:
            train (`list[np.ndarray]`): ids, of shape `(length,)`; each text begins with BOS.
            vocab_size (`int`): ids there are.
            n (`int`): greatest n.
        """
        lengths = [len(text) for text in train]
        tokens, begins = np.concatenate(train), np.cumsum([0, *lengths[:-1]])
        learned = np.ones(len(tokens), dtype=bool)
        learned[begins] = False
        numbered = numbered_runs(tokens, begins, vocab_size)
        context, run = next(numbered)
        orders = []
        for order in range(1, n + 1):
            following, longer = next(numbered)
            keys = np.zeros(run.max() + 1, dtype=np.int64)
            keys[run] = context * vocab_size + tokens
            told = run[learned]
            if order < n:  # by the number of different tokens before
                told = told[np.unique(longer[learned], return_index=True)[1]]
            counts = np.bincount(told, minlength=len(keys))
            orders.append(_discounted(keys, counts, context.max() + 1, vocab_size))
            context, run = following, longer
        return cls(orders, vocab_size)

    def chances(self, contexts: np.ndarray) -> np.ndarray:
        """
        Probabilities of the next token.

        Args:
            contexts (`np.ndarray` of shape `(rows, tokens)`): what precedes it, the last n - 1 tokens at least.

        Returns:
            `np.ndarray` of shape `(rows, vocab_size)`.
        """
        found = np.full((len(contexts), self.vocab_size), 1 / self.vocab_size)
        for order, numbers in zip(self.orders, self._context_numbers(contexts), strict=True):
            for row in np.flatnonzero(numbers >= 0):
                first = numbers[row] * self.vocab_size
                begin, end = np.searchsorted(order.keys, (first, first + self.vocab_size))
                found[row] *= order.left[numbers[row]]
                found[row, order.keys[begin:end] - first] += order.shares[begin:end]
        return found

    def _context_numbers(self, contexts: np.ndarray) -> list[np.ndarray]:
        """Of the runs of the last 0, 1, ... n - 1 tokens of each row."""
        numbers = [np.zeros(len(contexts), dtype=np.int64)]
        for tokens in contexts[:, contexts.shape[1] - len(self.orders) + 1 :].T:
            longer = [
                order.numbers(shorter, tokens, self.vocab_size)
                for order, shorter in zip(self.orders, numbers, strict=False)
            ]
            numbers = [numbers[0], *longer]
        return numbers


def _discounted(keys: np.ndarray, counts: np.ndarray, num_contexts: int, vocab_size: int) -> Order:
    context = keys // vocab_size
    taken = estimate_discounts(counts)[np.minimum(counts, 3)]
    totals = np.bincount(context, counts, minlength=num_contexts)
    left = np.bincount(context, taken, minlength=num_contexts) / np.maximum(totals, 1)
    shares = (counts - taken) / np.maximum(totals, 1)[context]
    return Order(keys, shares.astype(np.float32), np.where(totals > 0, left, 1).astype(np.float32))


class NgramConfig(PreTrainedConfig):
    """Of [`NgramForCausalLM`]."""

    model_type = "ngrams"


class NgramForCausalLM(PreTrainedModel, GenerationMixin):
    """
    n-grams behind the interface of a causal language model.

    Args:
        ngrams ([`Ngrams`]): that predict.
        bos_token_id (`int`): stands before a text without end.
    """

    config_class = NgramConfig
    main_input_name = "input_ids"

    def __init__(self, ngrams: Ngrams, bos_token_id: int):
        super().__init__(NgramConfig(vocab_size=ngrams.vocab_size, bos_token_id=bos_token_id))
        self.ngrams = ngrams
        self.generation_config = GenerationConfig(use_cache=False)
        self.nothing = nn.Parameter(torch.zeros(1), requires_grad=False)  # models are where their parameters are

    def get_input_embeddings(self) -> None:
        """There are none."""

    def forward(
        self, input_ids: torch.LongTensor, attention_mask: torch.LongTensor | None = None, **ignored
    ) -> CausalLMOutput:
        """Logits of shape `(rows, 1, vocab_size)` after the last of the tokens of shape `(rows, tokens)`."""
        bos = self.config.bos_token_id
        if attention_mask is not None:
            input_ids = input_ids.masked_fill(attention_mask == 0, bos)
        before = len(self.ngrams.orders) - 1
        contexts = nn.functional.pad(input_ids, (before, 0), value=bos).numpy()
        chances = self.ngrams.chances(contexts)
        return CausalLMOutput(logits=torch.from_numpy(np.log(chances))[:, None].float())
