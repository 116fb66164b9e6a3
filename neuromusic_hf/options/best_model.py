"""Which checkpoint is the best one: the metric that says so, and its direction."""

from typing import TYPE_CHECKING

from transformers.trainer_utils import SchedulerType

from ..evaluation.language_modeling import INFILL, METRICS, SPEED_METRICS, greater_is_better

if TYPE_CHECKING:
    from .arguments import RunArguments

METRIC_SCHEDULERS = (SchedulerType.REDUCE_ON_PLATEAU, SchedulerType.GREEDY)


def settle_best_model(args: "RunArguments"):
    """
    Sets `greater_is_better` to the direction of `metric_for_best_model`.

    The choice of the best checkpoint, early stopping and schedulers that follow a metric read it.

    Args:
        args ([`RunArguments`]): changed in place.

    Raises:
        `ValueError`: there is no such metric, it is asked for in the wrong direction, or it would never be measured.
    """
    asked = {
        "load_best_model_at_end": args.load_best_model_at_end,
        "save_strategy best": args.save_strategy == "best",
        "early_stopping_patience": args.early_stopping_patience,
    }
    needs_metric = [option for option, is_asked in asked.items() if is_asked]
    if needs_metric and args.eval_strategy == "no":
        raise ValueError(f"{needs_metric[0]} needs evaluations to go by: set eval_strategy to steps or epoch.")
    if args.metric_for_best_model is None:
        if not needs_metric and args.lr_scheduler_type not in METRIC_SCHEDULERS:
            return
        args.metric_for_best_model = "loss"
    args.greater_is_better = _direction(args.metric_for_best_model, args.greater_is_better)


def settle_scheduler_mode(args: "RunArguments"):
    """
    Tells a scheduler that follows the metric whether to wait for it to fall or to rise.

    Args:
        args ([`RunArguments`]): with its metric settled; changed in place.

    Raises:
        `ValueError`: `lr_scheduler_kwargs` say the opposite.
    """
    if args.lr_scheduler_type not in METRIC_SCHEDULERS:
        return
    mode, said = "max" if args.greater_is_better else "min", args.lr_scheduler_kwargs or {}
    if said.get("mode", mode) != mode:
        raise ValueError(
            f"lr_scheduler_kwargs say mode {said['mode']!r}, and metric_for_best_model={args.metric_for_best_model!r} "
            f"means {mode!r}: leave the mode out."
        )
    if mode == "max":
        args.lr_scheduler_kwargs = said | {"mode": mode}


def check_metric(name: str | None, infill_share: float | None = None):
    """
    Refuses a metric that the evaluations of a run do not give.

    Args:
        name (`str`, *optional*): of the metric.
        infill_share (`float`, *optional*): of the run, which measures infilling where it is above 0.

    Raises:
        `ValueError`: naming those they give.
    """
    measured = METRICS.keys() | SPEED_METRICS.keys()
    if name is None or name.removeprefix("eval_") in measured or (infill_share and is_of_infilling(name)):
        return
    hint = " Scores of continuations are logged, and no checkpoint is chosen by them." if "/" in name else ""
    if is_of_infilling(name):
        hint = " Infilling is measured where infill_share is above 0."
    raise ValueError(f"metric_for_best_model={name!r} is none of {', '.join(METRICS | SPEED_METRICS)}.{hint}")


def is_of_infilling(name: str | None) -> bool:
    """Whether a metric tells how well middles are filled in."""
    return name is not None and name.removeprefix("eval_") in {f"{INFILL}_{metric}" for metric in METRICS}


def _direction(name: str, said: bool | None) -> bool:
    direction = greater_is_better(name)
    if direction is None and said is None:
        check_metric(name)
    if None not in (direction, said) and direction != said:
        worst = "the smallest" if said is False else "the greatest"
        raise ValueError(
            f"greater_is_better={said} with metric_for_best_model={name!r} would keep the worst checkpoint, the one "
            f"of {worst} {name}: leave greater_is_better out."
        )
    return said if direction is None else direction
