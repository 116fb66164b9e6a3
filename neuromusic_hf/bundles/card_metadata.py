"""What the Hub reads of a bundle's card: its filters, and its lists of results."""

from collections.abc import Iterable
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from ..hub import TAGS
from ..models.origin import INFILLING_TASK, PIPELINE_TASK
from .facts import BundleFacts, told
from .licences import strictest

TASK = "text-generation"
TASK_NAME = "Music generation"
LANGUAGE_METRICS = {
    "loss": "nats a token",
    "nats_per_note": "nats a note",
    "token_accuracy": "token accuracy",
    "infill_nats_per_note": "nats a note of bars to fill in",
}
SCORE_FACTS = ("interval", "noise_floor_95", "p_value", "num_pieces")
"""What the list of results says of a score beside its value."""


def card_metadata(facts: BundleFacts, name: str, tags: Iterable[str]) -> dict:
    """The metadata of a bundle's card, for a repository of a name (its owner's left out); `tags` beside its own."""
    tasks = [PIPELINE_TASK, *([INFILLING_TASK] if facts.infill_share else [])]
    found = [*TAGS, *tasks, facts.tokenization and facts.tokenization.rpartition(".")[2], *_kinds(facts), *tags]
    licences = [told(corpus, str, "licence") for corpus in [*facts.corpora, *facts.corpora_before]]
    licence = strictest([*licences, *([None] if facts.base_model else [])])
    is_model = bool(facts.config or facts.adapter)
    datasets = [told(corpus, str, "dataset") for corpus in facts.corpora]
    results = _results(facts)
    data = ModelCardData(
        license=licence,
        library_name="transformers" if is_model else "neuromusic_hf",
        pipeline_tag=TASK if is_model else None,
        tags=list(dict.fromkeys(tag for tag in found if tag)),
        datasets=[dataset for dataset in datasets if dataset] or None,
        base_model=facts.base_model,
        base_model_relation=facts.base_model and ("adapter" if facts.adapter else "finetune"),
        eval_results=results or None,
        model_name=name if results else None,
    )
    return data.to_dict()


def _kinds(facts: BundleFacts) -> list[str]:
    kind = told(facts.adapter, str, "peft_type")
    return [kind.lower()] if kind else []


def _results(facts: BundleFacts) -> list[EvalResult]:
    """Scores and losses as the Hub lists them."""
    *tested, split = facts.tested_on
    found = [
        _result(
            *tested,
            split,
            metric_type=name,
            metric_name=f"{title}, KL in nats",
            metric_value=score["score"],
            metric_args={key: score[key] for key in SCORE_FACTS if key in score},
        )
        for name, score, title in facts.scored
    ]
    trained = facts.trained_on
    for metric, split, value in facts.measured(LANGUAGE_METRICS) if trained[0] else []:
        found.append(
            _result(*trained, split, metric_type=metric, metric_name=LANGUAGE_METRICS[metric], metric_value=value)
        )
    return found


def _result(names: str, dataset: str | None, revision: str | None, split: str | None, **metric: Any) -> EvalResult:
    return EvalResult(
        task_type=TASK,
        task_name=TASK_NAME,
        dataset_type=dataset or names,
        dataset_name=names,
        dataset_split=split,
        dataset_revision=revision,
        **metric,
    )
