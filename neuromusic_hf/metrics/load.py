"""The evaluate modules of this package."""

from pathlib import Path

import evaluate

from ..corpora.cache import writing_cache
from .comparisons import COMPARISONS
from .embedding import HarmonyEmbedding, load_harmony_embedding


def metric_path(name: str) -> str:
    """
    Where `evaluate.load` finds a metric of this package.

    Args:
        name (`str`): a score's, such as `"pitch_kl"`.

    Raises:
        `ValueError`: there is no such metric.
    """
    names = [comparison.score_name for comparison in COMPARISONS]
    if name not in names:
        raise ValueError(f"There is no metric {name!r}: give one of {', '.join(names)}.")
    return str(Path(__file__).parent / name)


def load_metrics(
    embedding: HarmonyEmbedding | str | Path | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
) -> evaluate.CombinedEvaluations:
    """
    All scores of this package, to be computed together.

    Args:
        embedding ([`HarmonyEmbedding`], `str` or `Path`, *optional*):
            For `harmony_kl`: an embedding, its folder, or its repository on the Hub; the one that comes with the
            package if not given.
        revision (`str`, *optional*): branch, tag or commit of that repository; main if not given.
        token (`str` or `bool`, *optional*): for the Hub; that of `HF_TOKEN` or `hf auth login` if not given.

    Returns:
        `evaluate.CombinedEvaluations`: `compute(predictions=..., references=..., prompts=...)` gives `pitch_kl`,
        `duration_kl` and so on, and what belongs to each with its name before it: `pitch_kl_interval`.

    Raises:
        `OSError`: the embedding cannot be read, or the cache of evaluate cannot be written.
    """
    embedding = load_harmony_embedding(embedding, revision, token)
    with writing_cache(evaluate.config.HF_MODULES_CACHE):
        metrics = [
            evaluate.load(
                metric_path(comparison.score_name), **({"embedding": embedding} if comparison.needs_embedding else {})
            )
            for comparison in COMPARISONS
        ]
    return evaluate.combine(metrics)
