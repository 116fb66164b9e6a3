"""How well a model predicts a split: loss, perplexity, token accuracy, and nats per note."""

import math
from collections.abc import Sequence

import pyarrow.compute
import torch
from datasets import Dataset
from transformers import EvalPrediction

from ..tokenization.blocks import IGNORED_LABEL
from .token_types import TokenTypes

METRICS = {"loss": False, "perplexity": False, "token_accuracy": True, "nats_per_note": False}
"""What [`LanguageModelingMetrics`] measures, and whether greater is better; the accuracy also by type of token."""

INFILL = "infill"
"""What the names of metrics of infilling begin with."""

SPEED_METRICS = {"runtime": False, "samples_per_second": True, "steps_per_second": True}
"""What a Trainer adds to them."""


def greater_is_better(name: str) -> bool | None:
    """
    Whether more is better of a metric of an evaluation; `None` where there is no such metric.

    Args:
        name (`str`): with `eval_` before it or not, and the name of a dataset where there are several
            (`eval_folk_nats_per_note`).
    """
    found = [metric for metric in METRICS | SPEED_METRICS if f"_{name}".endswith(f"_{metric}")]
    return (METRICS | SPEED_METRICS)[max(found, key=len)] if found else None


def row_statistics(logits: torch.Tensor, labels: torch.Tensor, types: TokenTypes | None = None) -> torch.Tensor:
    """
    Reduces logits to what the metrics need, so that an evaluation never holds more logits than one batch.

    Args:
        logits (`torch.Tensor` of shape `(batch, length, vocab_size)`): What a causal language model gives.
        labels (`torch.Tensor` of shape `(batch, length)`): Not shifted; ignored where -100.
        types ([`TokenTypes`], *optional*): Of the ids.

    Returns:
        `torch.Tensor` (float64) of shape `(batch, 3)`: negative log likelihood in nats, right predictions, predicted
        tokens, each summed over a row. With types, of shape `(batch, 3 + 2 * types)`: behind them the right
        predictions of each type, then the predicted tokens of each.
    """
    if isinstance(logits, (tuple, list)):
        logits = logits[0]
    logits, labels = logits[:, :-1].float(), labels[:, 1:]
    losses = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), labels, ignore_index=IGNORED_LABEL, reduction="none"
    )
    predicted = labels != IGNORED_LABEL
    correct = (logits.argmax(-1) == labels) & predicted
    sums = torch.stack([losses.double().sum(1), correct.double().sum(1), predicted.double().sum(1)], dim=1)
    return sums if types is None else torch.cat([sums, types.sums(labels, correct, predicted)], dim=1)


class LanguageModelingMetrics:
    """
    Sums [`row_statistics`] over an evaluation (`compute_metrics` of a Trainer with `batch_eval_metrics`).

    Nats per note is comparable between tokenizers, where nats per token is not: `loss * tokens_per_note`.

    Args:
        tokens_per_note (`float`): From [`tokens_per_note`], of the split that is evaluated.
        types (sequence of `str`, *optional*): The names of those that the statistics tell apart; none if not given.
    """

    def __init__(self, tokens_per_note: float, types: Sequence[str] = ()):
        self.tokens_per_note = tokens_per_note
        self.types = types
        self.sums = torch.zeros(3 + 2 * len(types), dtype=torch.float64)

    def __call__(self, prediction: EvalPrediction, compute_result: bool) -> dict[str, float]:
        """
        Adds a batch.

        Args:
            prediction ([`~transformers.EvalPrediction`]): Its `predictions` are the statistics of the rows.
            compute_result (`bool`): Whether this batch is the last one.

        Returns:
            `dict` with `loss` (nats per token), `perplexity`, `token_accuracy` and `nats_per_note`, and
            `pitch_token_accuracy` and the like of the types that were to be predicted; empty but for the last batch.
        """
        self.sums += torch.as_tensor(prediction.predictions).double().cpu().sum(0)[: len(self.sums)]
        if not compute_result:
            return {}
        nats, correct, predicted, *by_type = self.sums.tolist()
        self.sums.zero_()
        loss = nats / predicted
        perplexity = math.exp(loss) if loss < 700 else math.inf
        values = (loss, perplexity, correct / predicted, loss * self.tokens_per_note)
        counts = zip(self.types, by_type[: len(self.types)], by_type[len(self.types) :], strict=True)
        accuracies = {f"{name}_token_accuracy": right / count for name, right, count in counts if count}
        return dict(zip(METRICS, values, strict=True)) | accuracies


def tokens_per_note(tokens: Dataset) -> float:
    """Tokens that stand for a note of a tokenised split, on average, BOS, EOS and time tokens included."""
    num_notes = tokens.data.column("num_notes").to_numpy()
    lengths = pyarrow.compute.list_value_length(tokens.data.column("input_ids")).to_numpy()
    return float(lengths[num_notes > 0].sum() / num_notes.sum())
