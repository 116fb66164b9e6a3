"""How well a model predicts a split: loss, perplexity, token accuracy, and nats per note."""

import math

import pyarrow.compute
import torch
from datasets import Dataset
from transformers import EvalPrediction

from ..tokenization.blocks import IGNORED_LABEL

METRICS = {"loss": False, "perplexity": False, "token_accuracy": True, "nats_per_note": False}
"""What [`LanguageModelingMetrics`] measures, and whether greater is better."""

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


def row_statistics(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """
    Reduces logits to what the metrics need, so that an evaluation never holds more logits than one batch.

    Args:
        logits (`torch.Tensor` of shape `(batch, length, vocab_size)`): What a causal language model gives.
        labels (`torch.Tensor` of shape `(batch, length)`): Not shifted; ignored where -100.

    Returns:
        `torch.Tensor` (float64) of shape `(batch, 3)`: negative log likelihood in nats, right predictions, predicted
        tokens, each summed over a row.
    """
    if isinstance(logits, (tuple, list)):
        logits = logits[0]
    logits, labels = logits[:, :-1].float(), labels[:, 1:]
    losses = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), labels, ignore_index=IGNORED_LABEL, reduction="none"
    )
    predicted = labels != IGNORED_LABEL
    correct = (logits.argmax(-1) == labels) & predicted
    return torch.stack([losses.double().sum(1), correct.double().sum(1), predicted.double().sum(1)], dim=1)


class LanguageModelingMetrics:
    """
    Sums [`row_statistics`] over an evaluation (`compute_metrics` of a Trainer with `batch_eval_metrics`).

    Nats per note is comparable between tokenizers, where nats per token is not: `loss * tokens_per_note`.

    Args:
        tokens_per_note (`float`): From [`tokens_per_note`], of the split that is evaluated.

    """

    def __init__(self, tokens_per_note: float):
        self.tokens_per_note = tokens_per_note
        self.sums = torch.zeros(3, dtype=torch.float64)

    def __call__(self, prediction: EvalPrediction, compute_result: bool) -> dict[str, float]:
        """
        Adds a batch.

        Args:
            prediction ([`~transformers.EvalPrediction`]): Its `predictions` are the statistics of the rows.
            compute_result (`bool`): Whether this batch is the last one.

        Returns:
            `dict` with `loss` (nats per token), `perplexity`, `token_accuracy` and `nats_per_note`; empty but for the
            last batch.
        """
        self.sums += torch.as_tensor(prediction.predictions).double().cpu().sum(0)
        if not compute_result:
            return {}
        nats, correct, predicted = self.sums.tolist()
        self.sums.zero_()
        loss = nats / predicted
        perplexity = math.exp(loss) if loss < 700 else math.inf
        values = (loss, perplexity, correct / predicted, loss * self.tokens_per_note)
        return dict(zip(METRICS, values, strict=True))


def tokens_per_note(tokens: Dataset) -> float:
    """Tokens that stand for a note of a tokenised split, on average, BOS, EOS and time tokens included."""
    num_notes = tokens.data.column("num_notes").to_numpy()
    lengths = pyarrow.compute.list_value_length(tokens.data.column("input_ids")).to_numpy()
    return float(lengths[num_notes > 0].sum() / num_notes.sum())
