"""The picture of a search: how it went, which options mattered, and which values of each did best."""

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from ..reports.pictures import GENERATED_COLOR, ORIGINAL_COLOR, SCORE_COLOR, make_panels, set_title
from .space import Numbers, Space
from .study import best_trial

PANEL_INCHES = 3.6
FEWEST_FOR_IMPORTANCE = 10
"""Trials that came to their end; of fewer, it would tell chance."""

MOST_LEVEL = 8
"""Characters of a word below a panel that stands level."""

SPREADS_SHOWN = 3
"""Times the distance of the median from the best: what lies farther stands at the border."""


@dataclass(frozen=True)
class Dots:
    """
    Trials as they are drawn: full dots came to their end, hollow ones were pruned.

    Args:
        trials (list of [`~optuna.trial.FrozenTrial`]): those with a value.
        best ([`~optuna.trial.FrozenTrial`]): of them.
        bounds (`tuple[float, float]`): of the values that are shown.
    """

    trials: list[FrozenTrial]
    best: FrozenTrial
    bounds: tuple[float, float]

    def draw(self, axes: Axes, places: Sequence[float]):
        """Draws each trial at its place, by its value."""
        low, high = self.bounds
        for trial, place in zip(self.trials, places, strict=True):
            value = min(max(trial.value, low), high)
            marker = "o" if value == trial.value else ("^" if value == high else "v")
            color = GENERATED_COLOR if trial.number == self.best.number else SCORE_COLOR
            face = color if trial.state == TrialState.COMPLETE else "white"
            axes.plot(place, value, marker, color=color, markerfacecolor=face, markersize=6, zorder=3, clip_on=False)
        margin = 0.05 * (high - low or abs(high) or 1)
        axes.set_ylim(low - margin, high + margin)


def plot_search(study: Study, space: Space, metric: str) -> Figure | None:
    """
    Draws a search.

    Its values in the order of trials, the evaluations of each, how much each option mattered (PED-ANOVA, Watanabe et
    al. 2023, arXiv:2304.10255), and the values by each option.

    Args:
        study ([`~optuna.study.Study`]): of the search.
        space ([`Space`]): of it.
        metric (`str`): that it searched by.

    Returns:
        `matplotlib.figure.Figure`, which belongs to no global state; `None` where no trial came to its end.
    """
    best = best_trial(study)
    if best is None:
        return None
    trials = [
        trial for trial in study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED]) if _has_value(trial)
    ]
    dots = Dots(trials, best, _bounds([trial.value for trial in trials], best.value))
    importances = _importances(study)
    figure, panels = make_panels(2 + bool(importances) + len(space.options), PANEL_INCHES)
    history, curves, *others = panels
    _draw_history(history, dots, study)
    _draw_curves(curves, dots)
    if importances:
        _draw_importances(others.pop(0), importances)
    for axes, (name, values) in zip(others, space.options.items(), strict=True):
        _draw_option(axes, name, values, dots)
    for axes in (history, curves, *others):
        axes.set_ylabel(metric)
    return figure


def _has_value(trial: FrozenTrial) -> bool:
    return trial.value is not None and math.isfinite(trial.value)


def _bounds(values: list[float], best: float) -> tuple[float, float]:
    farthest = SPREADS_SHOWN * abs(float(np.median(values)) - best) or 1e-3 * (abs(best) or 1)
    return max(min(values), best - farthest), min(max(values), best + farthest)


def _importances(study: Study) -> dict[str, float]:
    if len(study.get_trials(states=[TrialState.COMPLETE])) < FEWEST_FOR_IMPORTANCE:
        return {}
    with contextlib.suppress(ValueError, RuntimeError):  # all trials did alike
        return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {}


def _draw_history(axes: Axes, dots: Dots, study: Study):
    set_title(axes, "In the order of trials (hollow: pruned)")
    dots.draw(axes, [trial.number for trial in dots.trials])
    ended = [trial for trial in dots.trials if trial.state == TrialState.COMPLETE]
    better = min if dots.best.value == min(trial.value for trial in ended) else max
    so_far = [better(trial.value for trial in ended[: index + 1]) for index in range(len(ended))]
    axes.step([trial.number for trial in ended], so_far, where="post", color=ORIGINAL_COLOR, linewidth=1)
    axes.set_xlabel("Trial")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_curves(axes: Axes, dots: Dots):
    set_title(axes, "Evaluations of each trial")
    for trial in sorted(dots.trials, key=lambda trial: trial.number == dots.best.number):
        is_best = trial.number == dots.best.number
        steps = sorted(trial.intermediate_values)
        line = [trial.intermediate_values[step] for step in steps]
        color = GENERATED_COLOR if is_best else ORIGINAL_COLOR
        axes.plot(steps, line, ".-", color=color, linewidth=1.6 if is_best else 0.8, markersize=4)
    low, high = dots.bounds
    shown = [trial.intermediate_values.values() for trial in dots.trials if low <= trial.value <= high]
    reached = [value for values in shown for value in values if math.isfinite(value)]
    if reached:
        margin = 0.05 * (max(reached) - min(reached)) or 1e-3
        axes.set_ylim(min(reached) - margin, max(reached) + margin)
    axes.set_xlabel("Optimizer steps")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_importances(axes: Axes, importances: dict[str, float]):
    set_title(axes, "How much each option mattered")
    names = list(importances)[::-1]
    bars = axes.barh(range(len(names)), [importances[name] for name in names], color=SCORE_COLOR, height=0.6)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=9)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_xlim(0, 1.1)
    axes.set_xlabel("Share of what moves the best tenth of trials")


def _draw_option(axes: Axes, name: str, values, dots: Dots):
    set_title(axes, name)
    if isinstance(values, Numbers):
        dots.draw(axes, [trial.params[name] for trial in dots.trials])
        axes.set_xscale("log" if values.log else "linear")
        margin = (values.high / values.low) ** 0.03 if values.log else 0.03 * (values.high - values.low)
        bounds = (
            (values.low / margin, values.high * margin) if values.log else (values.low - margin, values.high + margin)
        )
        axes.set_xlim(*bounds)
        return
    dots.draw(axes, [values.limits.index(trial.params[name]) for trial in dots.trials])
    words = [str(value) for value in values.limits]
    axes.set_xticks(
        range(len(words)), words, rotation=15 if max(map(len, words)) > MOST_LEVEL else 0, parse_math=False
    )
    axes.set_xlim(-0.5, len(values.limits) - 0.5)
