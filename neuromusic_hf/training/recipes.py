"""How recipes and a command line tell what a training run does, and the recipe that a run leaves behind."""

import argparse
import contextlib
import difflib
import itertools
import typing
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from transformers import HfArgumentParser

from ..disk import user_path
from .arguments import DataArguments, ModelArguments, RunArguments
from .best_model import check_metric
from .option_effects import check_effects, check_rivals, drop_rivals, void_options
from .option_values import check_options
from .recipe_file import read_recipe
from .trust import refuse_acts, refuse_code, refuse_secrets

GROUPS = (ModelArguments, DataArguments, RunArguments)
COMMAND_LINE = "the command line"
LEFT_OUT_FIELDS = ("use_cpu", "resume_from_checkpoint", "greater_is_better", "trust_remote_code", "push_to_hub")
"""Of a resolved recipe, as all that begins with `hub_`: facts of the machine or of a launch, one that follows from the
metric, and what is said by whoever runs it."""


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


class OptionParser(HfArgumentParser):
    """Options of a run, by the fields of its dataclasses. Tells which of them were given, and raises what is wrong."""

    def __init__(self):
        self.options: dict[str, argparse.Action] = {}
        super().__init__(GROUPS, usage="train.py [RECIPE.yaml ...] [--key value ...]", allow_abbrev=False)
        hints = {name: hint for group in GROUPS for name, hint in typing.get_type_hints(group).items()}
        self.kinds = {name: _kinds(hints[name]) for name in self.options}

    def add_argument(self, *args, **kwargs) -> argparse.Action:
        """Called for each field, and for the switch that takes one back."""
        action = super().add_argument(*args, **kwargs)
        if action.dest != "help":
            self.options[action.dest] = action
        return action

    def error(self, message: str):
        """Called by argparse."""
        raise ValueError(f"{message}.")

    def given(self, arguments: list[str]) -> dict[str, Any]:
        """The options that the arguments give, with their types."""
        nothing = object()
        values = argparse.Namespace(**dict.fromkeys(self.options, nothing))
        values, unknown = self.parse_known_args(arguments, values)
        if unknown:
            raise ValueError(f"Unknown option {unknown[0]}{self.suggestion(unknown[0].lstrip('-'))}")
        return {name: value for name, value in vars(values).items() if value is not nothing}

    def suggestion(self, key: str) -> str:
        """The end of a sentence about an unknown key."""
        near = difflib.get_close_matches(key, self.options, n=1)
        return f": did you mean {near[0]!r}?" if near else "."

    def typed(self, key: str, value: Any) -> Any:
        """A value of a recipe with the type of its option."""
        kinds, many = self.kinds[key], self.options[key].nargs == "+"
        if value is None or (isinstance(value, dict) and dict in kinds):
            return value
        if isinstance(value, list) and many:
            _check_scalars(key, value)
            return self.given([f"--{key}", *map(str, value)])[key]
        if isinstance(value, bool) and (bool in kinds or self.options[key].const is True):
            return value
        _check_scalars(key, [value])
        if isinstance(value, bool):
            raise ValueError(f"{key} is not a switch, and YAML reads a bare yes, no, on and off as one: use quotes.")
        return self.given([f"--{key}={value}"])[key]


def _kinds(hint: Any) -> set[type]:
    parts = typing.get_args(hint) or (hint,)
    return {typing.get_origin(part) or part for part in parts}


def _check_scalars(key: str, values: list):
    for value in values:
        if isinstance(value, dict | list):
            raise ValueError(f"{key} is a single value, got {value!r}.")
        if not isinstance(value, str | int | float):
            raise ValueError(f"YAML reads {key}: {value} as a {type(value).__name__}: use quotes.")


def parse_recipe(arguments: list[str]) -> tuple[ModelArguments, DataArguments, RunArguments]:
    """
    Reads recipes and command-line options, and checks every value.

    Args:
        arguments (`list[str]`):
            Paths of YAML recipes, later ones overriding earlier ones, then `--key value` options that override them.
            YAML values are parsed as on the command line, so that `3e-4` is a number. Null takes back what an earlier
            recipe says. Of options that rule each other out (`max_steps` and `num_train_epochs`), the later one holds.

    Raises:
        `ValueError`: a recipe cannot be read, holds an unknown key, or names code that was not trusted; an option is
            unknown, a value is not one that the option takes, or an option would have no effect.
    """
    parser = OptionParser()
    layers = _read_layers(arguments, parser)
    _refuse_strange_code(layers)
    merged = {}
    for layer in layers:
        merged = drop_rivals(merged, layer.values) | layer.values
    merged = {name: value for name, value in merged.items() if value is not None}
    defaults = {name: option.default for name, option in parser.options.items()}
    for layer in layers:
        with layer.named():
            check_effects(layer.values, defaults | merged, defaults, strictly=layer.place == COMMAND_LINE)
    check_metric(merged.get("metric_for_best_model"))
    if "hub_token" in layers[-1].values and merged.get("report_to", ["none"]) != ["none"]:
        raise ValueError("Trackers record command lines: give the token as the variable HF_TOKEN, not as hub_token.")
    return tuple(
        group(**{item.name: merged[item.name] for item in fields(group) if item.name in merged}) for group in GROUPS
    )


def _read_layers(arguments: list[str], parser: OptionParser) -> list[Layer]:
    paths = list(itertools.takewhile(lambda argument: not argument.startswith("-"), arguments))
    layers = [Layer(path, _recipe_values(path, parser)) for path in paths]
    layers.append(Layer(COMMAND_LINE, parser.given(arguments[len(paths) :])))
    for layer in layers:
        with layer.named():
            check_options(layer.values)
            check_rivals(layer.values)
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


def resolved_recipe(model_args: ModelArguments, data_args: DataArguments, args: RunArguments) -> dict:
    """
    A recipe that gives the same run, in another folder too.

    It holds every value of model and data, and every one of the training that is not a default. Secrets and facts of
    the machine are left out.
    """
    recipe = vars(model_args) | vars(data_args)
    unchanged = vars(ModelArguments()) | vars(DataArguments())
    void = void_options(recipe | vars(args))
    recipe |= {name: unchanged[name] for name in void if name in unchanged}
    defaults = RunArguments(output_dir=args.output_dir, report_to=args.report_to or ["none"])
    always = ("output_dir", "seed", "bf16", "fp16", "report_to")
    for item in fields(args):
        value = getattr(args, item.name)
        changed = item.init and item.name not in void and value != getattr(defaults, item.name)
        if item.name in always or changed:
            recipe[item.name] = _plain(value)
    told = {key: value for key, value in recipe.items() if key not in LEFT_OUT_FIELDS and key[:4] != "hub_"}
    return {key: value for key, value in told.items() if value not in (None, {}, []) and _is_plain(value)}


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool | list | dict)
