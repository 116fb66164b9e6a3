"""
How recipes and a command line tell what a training run does.

Names, kinds and ranges of options are checked before PyTorch is imported, which takes seconds.
"""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ..disk import user_path
from ..hub import was_pulled
from ..ranges import check_ranges
from .effects import check_effects, check_rivals, drop_rivals
from .parser import OptionParser
from .recipe_file import read_recipe
from .trust import refuse_acts, refuse_code, refuse_pulled, refuse_secrets
from .values import RANGES, check_options

if TYPE_CHECKING:
    from .arguments import DataArguments, ModelArguments, RunArguments

COMMAND_LINE = "the command line"


@dataclass(frozen=True)
class Layer:
    """
    What was said in one place.

    Args:
        place (`str`): The path of a recipe, or the command line.
        values (`dict`): options by name; `None` takes back what was said before.
    """

    place: str
    values: dict[str, Any]

    @contextlib.contextmanager
    def named(self):
        """Names the place in an error about what it says; whoever typed a command line knows it."""
        try:
            yield
        except ValueError as error:
            raise (error if self.place == COMMAND_LINE else ValueError(f"{self.place}: {error}")) from error


def parse_recipe(arguments: list[str]) -> tuple[ModelArguments, DataArguments, RunArguments]:
    """
    Reads recipes and command-line options, and checks every value.

    Args:
        arguments (`list[str]`):
            Paths of YAML recipes, later ones overriding earlier ones, then `--key value` options that override them.
            YAML values are parsed as on the command line, so that `3e-4` is a number. Null, which the command line
            knows too, takes back what an earlier recipe says. Of options that rule each other out (`max_steps` and
            `num_train_epochs`), the later one holds.

    Raises:
        `ValueError`: a recipe cannot be read, holds an unknown key, or names code that was not trusted; an option is
            unknown, a value is not one that the option takes, or an option would have no effect.
    """
    parser = OptionParser()
    layers = _read_layers(arguments, parser)
    _refuse_strange_code(layers)
    merged = _merged(layers)
    defaults = {name: option.default for name, option in parser.options.items()}
    for layer in layers:
        still_said = {name: value for name, value in layer.values.items() if merged.get(name) == value}
        with layer.named():
            check_effects(still_said, defaults | merged, defaults, strictly=layer.place == COMMAND_LINE)
    if layers[-1].values.get("hub_token") is not None and merged.get("report_to", ["none"]) != ["none"]:
        raise ValueError("Trackers record command lines: give the token as the variable HF_TOKEN, not as hub_token.")
    from .arguments import GROUPS  # with PyTorch
    from .best_model import check_metric

    check_metric(merged.get("metric_for_best_model"), merged.get("infill_share", 1))  # if not set, it is settled later
    return tuple(
        group(**{item.name: merged[item.name] for item in fields(group) if item.name in merged}) for group in GROUPS
    )


def said_options(arguments: list[str]) -> dict[str, Any]:
    """What recipes and a command line say themselves, by the names of options. Raises as [`parse_recipe`]."""
    return _merged(_read_layers(arguments, OptionParser()))


def _merged(layers: list[Layer]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = drop_rivals(merged, layer.values) | layer.values
    return {name: value for name, value in merged.items() if value is not None}


def _read_layers(arguments: list[str], parser: OptionParser) -> list[Layer]:
    paths = list(itertools.takewhile(lambda argument: not argument.startswith("-"), arguments))
    layers = [Layer(path, _recipe_values(path, parser)) for path in paths]
    layers.append(Layer(COMMAND_LINE, parser.typed_by_hand(arguments[len(paths) :])))
    for layer in layers:
        with layer.named():
            check_ranges(layer.values, RANGES)
            check_rivals(layer.values)
    for layer in layers:
        with layer.named():
            check_options(layer.values)
    return layers


def _recipe_values(path: str, parser: OptionParser) -> dict[str, Any]:
    recipe = read_recipe(user_path(path))
    for key in recipe:
        if key not in parser.options:
            raise ValueError(f"Unknown key {key!r} in the recipe {path}{parser.suggestion(str(key))}")
    with Layer(path, recipe).named():
        refuse_secrets(recipe)
        values = {key: parser.typed(key, value) for key, value in recipe.items()}
        refuse_acts(values)
        if was_pulled(user_path(path)):
            refuse_pulled(values)
        return values


def _refuse_strange_code(layers: list[Layer]):
    """Import paths count where they were typed; and where a layer's option does not hold, it does nothing."""
    *recipes, typed = layers
    if typed.values.get("trust_remote_code"):
        return
    said_later = set(typed.values)
    for layer in reversed(recipes):
        with layer.named():
            refuse_code({name: value for name, value in layer.values.items() if name not in said_later})
        said_later |= set(layer.values)
