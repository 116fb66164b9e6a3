"""What a search does, checked before anything is read or trained."""

from __future__ import annotations

import importlib.util
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..options.parser import OptionParser
from ..options.recipes import parse_recipe, said_options
from .searchable import check_comparable
from .space import Space

if TYPE_CHECKING:
    from ..options import DataArguments, ModelArguments, RunArguments

DEFAULT_METRIC = "nats_per_note"
"""Compares runs of different tokenizers, too."""

FOLDER = "search"
"""Of all that a search writes, in the `output_dir` of its recipe."""

RUNS_ALONE = {
    "push_to_hub": "push the best bundle when the search is over",
    "do_test": "a search chooses by validation; test the best recipe when it is over",
    "resume_from_checkpoint": "a search that was stopped goes on by itself, with the same command",
}
"""Options of one run, and what to do in place of them."""


@dataclass(frozen=True)
class SearchPlan:
    """
    A search.

    Args:
        arguments (`list[str]`): recipes and options, as of `scripts/train.py`; what trials have in common.
        space ([`Space`]): what they differ in.
        recipe (`dict`): the resolved recipe of those arguments.
        args ([`RunArguments`]): of them.
        metric (`str`): of evaluations, whose best value is searched for.
    """

    arguments: list[str]
    space: Space
    recipe: dict
    args: RunArguments
    metric: str

    @property
    def folder(self) -> Path:
        """Of all that the search writes."""
        return Path(self.args.output_dir, FOLDER)

    @property
    def trials_folder(self) -> Path:
        """In which each trial has its own."""
        return self.folder / "trials"

    def trial_folder(self, number: int) -> Path:
        """Of a trial, by its number in the study."""
        return self.trials_folder / f"trial-{number:03d}"

    def parse(self, values: dict, folder: Path) -> tuple[ModelArguments, DataArguments, RunArguments]:
        """The arguments of a run that tries some values, by the names of the space, in a folder."""
        options = self.space.command_line(values, self.recipe)
        return parse_recipe([*self.arguments, *options, f"--output_dir={folder}"])


def plan_search(arguments: list[str], space: str | None = None) -> SearchPlan:
    """
    Reads recipes, options and space of a search, and checks all of them.

    Args:
        arguments (`list[str]`): recipes and options, as of `scripts/train.py`.
        space (`str`, *optional*): path of a YAML file; [`DEFAULT_SPACE`] if not given.

    Raises:
        `ImportError`: Optuna is not installed.
        `ValueError`: of recipes, options or the space, something is unknown, out of range or without effect; an
            option was typed and is searched; or the values of a metric would not compare.
    """
    options = Space.read(space)
    _refuse_typed(arguments, options)
    if importlib.util.find_spec("optuna") is None:
        raise ImportError("A search needs Optuna, which is not installed: pip install optuna.")
    model_args, data_args, args = parse_recipe(arguments)
    if args.metric_for_best_model is not None and "metric_for_best_model" not in said_options(arguments):
        arguments = [*arguments, f"--metric_for_best_model={DEFAULT_METRIC}"]  # where a run alone would go by its loss
        model_args, data_args, args = parse_recipe(arguments)
    for name, remedy in RUNS_ALONE.items():
        if getattr(args, name):
            raise ValueError(f"{name}={getattr(args, name)} belongs to one run: {remedy}.")
    if args.world_size > 1:
        raise ValueError(
            f"A search trains each trial in one process, and this is one of {args.world_size}: start it with python."
        )
    from ..options import resolved_recipe

    metric = args.metric_for_best_model or DEFAULT_METRIC
    recipe = resolved_recipe(model_args, data_args, args)
    plan = SearchPlan(arguments, options, recipe, args, metric)
    with options.named():
        check_comparable(list(options.options), metric, data_args.max_eval_blocks)
    _check_values(plan)
    return plan


def _refuse_typed(arguments: list[str], space: Space):
    words = itertools.dropwhile(lambda word: not word.startswith("-"), arguments)
    typed = OptionParser().typed_by_hand(list(words))
    for name in space.options:
        if name in typed:
            raise ValueError(f"{name} is given, and {space.place} searches it: leave one of them out.")


def _check_values(plan: SearchPlan):
    """Refuses values that no run takes, each for itself beside the first ones of the others."""
    first = {name: values.limits[0] for name, values in plan.space.options.items()}
    with plan.space.named():
        for name, values in plan.space.options.items():
            for value in values.limits:
                plan.parse(first | {name: value}, plan.folder)


def base_values(plan: SearchPlan) -> dict | None:
    """What the recipe itself says of the options of the space; `None` where the space does not hold it."""
    model_args, data_args, args = parse_recipe(plan.arguments)
    return plan.space.values_of(vars(model_args) | vars(data_args) | vars(args))
