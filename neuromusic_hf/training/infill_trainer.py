"""A Trainer whose evaluations tell how well middles are filled in, too."""

from collections.abc import Mapping
from dataclasses import dataclass

from datasets import Dataset
from transformers import Trainer
from transformers.trainer_utils import EvalLoopOutput

from ..evaluation.language_modeling import INFILL, METRICS, LanguageModelingMetrics


@dataclass(frozen=True)
class InfillSplit:
    """
    Samples of infilling to evaluate on.

    Args:
        rows ([`~datasets.Dataset`]): with the columns `input_ids` and `labels`.
        tokens_per_note (`float`): of what is asked for, EOM included.
    """

    rows: Dataset
    tokens_per_note: float


class InfillTrainer(Trainer):
    """
    [`~transformers.Trainer`] whose evaluations measure infilling beside everything else, in figures of its own.

    They are metrics of the same evaluation, so that it is logged once, and a best model can be chosen by them.

    Args:
        infill_splits (mapping of `str` to [`InfillSplit`], *optional*): by the prefix of the metrics of an evaluation;
            its own are called `eval_infill_loss` and so on.
        kwargs: of [`~transformers.Trainer`].
    """

    def __init__(self, *args, infill_splits: Mapping[str, InfillSplit] | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.infill_splits = infill_splits or {}

    def evaluation_loop(
        self, dataloader, description, prediction_loss_only=None, ignore_keys=None, metric_key_prefix="eval"
    ) -> EvalLoopOutput:
        """As [`~transformers.Trainer.evaluation_loop`], and over the samples of infilling, if there are any."""
        output = super().evaluation_loop(dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix)
        split = self.infill_splits.get(metric_key_prefix)
        if split is None:
            return output
        ordinary, self.compute_metrics = self.compute_metrics, LanguageModelingMetrics(split.tokens_per_note)
        try:
            loader, prefix = self.get_test_dataloader(split.rows), f"{metric_key_prefix}_{INFILL}"
            infill = super().evaluation_loop(loader, description, prediction_loss_only, ignore_keys, prefix)
        finally:
            self.compute_metrics = ordinary
        measured = {
            name: value for name, value in infill.metrics.items() if name.removeprefix(f"{prefix}_") in METRICS
        }
        num_samples = output.num_samples + infill.num_samples
        return EvalLoopOutput(output.predictions, output.label_ids, output.metrics | measured, num_samples)
