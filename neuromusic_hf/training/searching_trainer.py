"""Searches for the arguments of a run by a metric that knows which way it gets better."""

from collections.abc import Callable
from functools import partial

from ..evaluation.language_modeling import greater_is_better
from .dividing_trainer import DividingTrainer


class SearchingTrainer(DividingTrainer):
    """[`~transformers.Trainer`] that knows which way the metrics of a language model of music get better."""

    def hyperparameter_search(
        self,
        hp_space: Callable | None = None,
        compute_objective: Callable[[dict[str, float]], float] | None = None,
        n_trials: int = 20,
        direction: str | list[str] | None = None,
        **options,
    ):
        """
        Searches as [`~transformers.Trainer`] does, but for the best `metric_for_best_model`, or loss.

        The Trainer itself would search for the least sum of all metrics.

        Args:
            hp_space (`Callable`, *optional*): From a trial to the arguments it tries.
            compute_objective (`Callable`, *optional*): From the metrics of an evaluation to what is searched for.
            n_trials (`int`, *optional*, defaults to 20): Runs to try.
            direction (`str`, *optional*): `"minimize"` or `"maximize"`; that of the metric, or `"minimize"` for an
                objective of yours, if not given.
            options: as in [`~transformers.Trainer`].

        Raises:
            `ValueError`: the metric gets better in the other direction.
        """
        if compute_objective is None:
            name = self.args.metric_for_best_model or "loss"
            wanted = "maximize" if greater_is_better(name) else "minimize"
            if direction not in (None, wanted):
                raise ValueError(f"direction={direction!r} would search for the worst {name}: leave it out.")
            compute_objective, direction = partial(_objective, name=name), wanted
        return super().hyperparameter_search(hp_space, compute_objective, n_trials, direction or "minimize", **options)


def _objective(metrics: dict[str, float], name: str) -> float:
    return metrics[f"eval_{name.removeprefix('eval_')}"]
