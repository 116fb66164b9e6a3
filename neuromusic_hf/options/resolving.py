"""The recipe that a run leaves behind: a file that gives the same run."""

from dataclasses import fields
from enum import Enum
from typing import Any

from ..default_bundle import is_default, place_of, recorded_name
from .arguments import DataArguments, ModelArguments, RunArguments
from .effects import void_options

LEFT_OUT_FIELDS = ("use_cpu", "resume_from_checkpoint", "greater_is_better", "trust_remote_code", "push_to_hub")
"""Of a resolved recipe, as all that begins with `hub_`: facts of the machine or of a launch, one that follows from the
metric, and what is said by whoever runs it."""


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
    defaults = RunArguments(output_dir=args.output_dir, use_cpu=args.use_cpu, report_to=args.report_to or ["none"])
    always = ("output_dir", "seed", "bf16", "fp16", "report_to")
    for item in fields(args):
        value = getattr(args, item.name)
        changed = item.init and item.name not in void and value != getattr(defaults, item.name)
        if item.name in always or changed:
            recipe[item.name] = _plain(value)
    recipe |= {name: _named(recipe[name]) for name in ("model", "tokenization") if recipe.get(name)}
    told = {key: value for key, value in recipe.items() if key not in LEFT_OUT_FIELDS and key[:4] != "hub_"}
    return {key: value for key, value in told.items() if value not in (None, {}, []) and _is_plain(value)}


def _named(place: str) -> str:
    """The bundle of this package by its name, unless a folder here has that name."""
    name = recorded_name(place)
    return name if is_default(place_of(name)) else place


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool | list | dict)
