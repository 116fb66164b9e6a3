"""The evaluate modules of this package."""

from pathlib import Path

import evaluate

from ..corpora.cache import writing_cache
from .embedding import HarmonyEmbedding

METRICS = ("pitch_kl", "duration_kl", "harmony_kl")


def metric_path(name: str) -> str:
    """
    Where `evaluate.load` finds a metric of this package.

    Args:
        name (`str`): `"pitch_kl"`, `"duration_kl"` or `"harmony_kl"`.

    Raises:
        `ValueError`: there is no such metric.
    """
    if name not in METRICS:
        raise ValueError(f"There is no metric {name!r}: give one of {', '.join(METRICS)}.")
    return str(Path(__file__).parent / name)


def load_metrics(embedding: HarmonyEmbedding | str | Path | None = None) -> evaluate.CombinedEvaluations:
    """
    The three scores, to be computed together.

    Args:
        embedding ([`HarmonyEmbedding`], `str` or `Path`, *optional*):
            For `harmony_kl`: an embedding, its folder, or its repository on the Hub; the one that comes with the
            package if not given.

    Returns:
        `evaluate.CombinedEvaluations`: `compute(predictions=..., references=..., prompts=...)` gives `pitch_kl`,
        `duration_kl` and `harmony_kl`, and what belongs to each with its name before it: `pitch_kl_interval`.

    Raises:
        `OSError`: the embedding cannot be read, or the cache of evaluate cannot be written.
    """
    settings = {"harmony_kl": {"embedding": embedding}}
    with writing_cache(evaluate.config.HF_MODULES_CACHE):
        return evaluate.combine([evaluate.load(metric_path(name), **settings.get(name, {})) for name in METRICS])
