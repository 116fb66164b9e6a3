"""How the evaluations of a run went: since when they are no better, and whether they turned up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

NATS_PER_NOTE = "eval_nats_per_note"

TURN_MARGIN = 0.02
"""In nats per note: so much over the best one an evaluation is worse, and no longer as good."""

TURN_EVALUATIONS = 2
"""So many in a row have to be worse: one may be by chance."""


@dataclass(frozen=True)
class Turning:
    """
    Where validation turned up.

    Args:
        after_step (`int`): of the best evaluation until then; 0 for the model that training began with.
        seen_at_step (`int`): of the evaluation that showed it.
        best (`float`): nats per note, after the former.
        risen_to (`float`): nats per note, after the latter.
    """

    after_step: int
    seen_at_step: int
    best: float
    risen_to: float


def evaluations(log_history: Iterable[Mapping[str, Any]], metric: str) -> dict[int, float]:
    """
    The values of a metric, by the step after which each was measured.

    Args:
        log_history (iterable of mappings): of the state of a Trainer.
        metric (`str`): as it is logged, such as `"eval_loss"`.
    """
    found: dict[int, float] = {}
    for entry in log_history:
        if metric in entry:
            found.setdefault(entry["step"], entry[metric])
    return found


def stalled(values: Iterable[float], greater_is_better: bool, threshold: float = 0.0) -> int:
    """
    How many of the last evaluations, in a row, were not better than the best one before them.

    Args:
        values (iterable of `float`): of the metric, in order; the first one is always an improvement.
        greater_is_better (`bool`): of the metric.
        threshold (`float`, *optional*, defaults to 0): by how much better an evaluation has to be.
    """
    count, best = 0, None
    for value in values:
        signed = value if greater_is_better else -value
        count = 0 if best is None or signed - best > threshold else count + 1
        best = signed if best is None else max(best, signed)
    return count


def turning(nats_per_note: Mapping[int, float]) -> Turning | None:
    """
    Where validation turned up, the first time; `None` where it did not.

    That is where [`TURN_EVALUATIONS`] in a row are worse than the best one before them by more than [`TURN_MARGIN`].

    Args:
        nats_per_note (mapping of `int` to `float`): by step, in order; that of step 0 too, if there is one.
    """
    best_step, count = None, 0
    for step, value in nats_per_note.items():
        if best_step is None or value < nats_per_note[best_step]:
            best_step, count = step, 0
        else:
            count = count + 1 if value > nats_per_note[best_step] + TURN_MARGIN else 0
        if count == TURN_EVALUATIONS:
            return Turning(best_step, step, nats_per_note[best_step], value)
    return None
