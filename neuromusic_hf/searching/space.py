"""
The space of a search: which options it tries, and which values of each.

It is a YAML file that names options as a recipe does, those of training, model and data:

    learning_rate: {low: 1e-4, high: 1e-2, log: true}
    num_hidden_layers: {low: 2, high: 6}
    hidden_size: [128, 192, 256]
    model_config.dropout: {low: 0, high: 0.3, step: 0.1}
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..disk import user_path
from ..options.parser import OptionParser
from ..options.recipe_file import read_recipe
from ..options.values import RANGES
from .searchable import check_searchable, split_name

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

DEFAULT_SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "weight_decay": {"low": 0.0, "high": 0.3},
    "adam_beta2": [0.95, 0.98, 0.999],
}
"""Of a search that is given none."""

KEYS = ("low", "high", "log", "step")


@dataclass(frozen=True)
class Numbers:
    """
    All numbers from one to another, both included.

    Args:
        low (`float`): the smallest.
        high (`float`): the largest.
        log (`bool`): whether each factor is as likely as another of its size, not each difference.
        step (`float`, *optional*): from `low` on, only every so much.
        whole (`bool`): whether only whole numbers are taken.
    """

    low: float
    high: float
    log: bool
    step: float | None
    whole: bool

    def suggest(self, trial: BaseTrial, name: str) -> float:
        """What Optuna has a trial try."""
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def __contains__(self, value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high and self._is_on_a_step(value)

    def _is_on_a_step(self, value: float) -> bool:
        if self.step is None:
            return not self.whole or value == int(value)
        steps = (value - self.low) / self.step
        return math.isclose(steps, round(steps), abs_tol=1e-9)

    @property
    def limits(self) -> list[float]:
        """Values that stand for all of them where they are checked."""
        return [self.low, self.high]

    def described(self) -> dict:
        """As in a file."""
        said = {"low": self.low, "high": self.high}
        said |= {"log": True} if self.log else {}
        return said if self.step is None else said | {"step": self.step}


@dataclass(frozen=True)
class Choices:
    """
    Some values.

    Args:
        limits (`list`): of the option; `None` leaves it out.
    """

    limits: list[Any]

    def suggest(self, trial: BaseTrial, name: str) -> Any:
        """What Optuna has a trial try."""
        return trial.suggest_categorical(name, self.limits)

    def __contains__(self, value: Any) -> bool:
        return value in self.limits

    def described(self) -> list:
        """As in a file."""
        return self.limits


@dataclass(frozen=True)
class Space:
    """
    What a search tries.

    Args:
        place (`str`): where it was said, for errors.
        options (`dict`): numbers or choices, by the name of an option, or of a key of one that holds an object.
    """

    place: str
    options: dict[str, Numbers | Choices]

    @classmethod
    def read(cls, path: str | None) -> Space:
        """
        The space that a YAML file says, or [`DEFAULT_SPACE`].

        Raises:
            `ValueError`: it cannot be read, an option is unknown or cannot be searched, or nothing is left to try.
        """
        if path is None:
            return cls.of(DEFAULT_SPACE, "the default space")
        return cls.of(read_recipe(user_path(path), "space"), path)

    @classmethod
    def of(cls, said: Mapping[str, Any], place: str) -> Space:
        """The space that plain data says; else as `read`."""
        parser = OptionParser()
        options: dict[str, Numbers | Choices] = {}
        space = cls(place, options)
        with space.named():
            if not said:
                raise ValueError("nothing is there to try: name options and their values.")
            for name, values in said.items():
                check_searchable(str(name), parser)
                options[str(name)] = _values(str(name), values, parser)
        return space

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Names the place in errors about what it says."""
        try:
            yield
        except ValueError as error:
            raise ValueError(f"{self.place}: {error}") from error

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        """What Optuna has a trial try, by the names of the space (`hp_space` of a Trainer)."""
        return {name: values.suggest(trial, name) for name, values in self.options.items()}

    def described(self) -> dict:
        """As in a file."""
        return {name: values.described() for name, values in self.options.items()}

    def values_of(self, recipe: Mapping[str, Any]) -> dict[str, Any] | None:
        """What a recipe says of the options of the space; `None` where it says something that no trial would try."""
        said = {}
        for name, values in self.options.items():
            option, key = split_name(name)
            said[name] = (recipe.get(option) or {}).get(key) if key else recipe.get(option)
            if said[name] not in values:
                return None
        return said

    def command_line(self, values: Mapping[str, Any], recipe: Mapping[str, Any]) -> list[str]:
        """
        The options that have a run try these values.

        Args:
            values (mapping): by the names of the space.
            recipe (mapping): of the search, whose objects keep what the space does not name.
        """
        plain: dict[str, str] = {}
        objects: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            option, key = split_name(name)
            if key:
                objects.setdefault(option, dict(recipe.get(option) or {}))[key] = value
            else:
                plain[option] = _word(value)
        return [f"--{name}={word}" for name, word in (plain | {k: json.dumps(v) for k, v in objects.items()}).items()]


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _values(name: str, said: Any, parser: OptionParser) -> Numbers | Choices:
    if isinstance(said, list):
        return _choices(name, said, parser)
    if isinstance(said, dict):
        return _numbers(name, said, parser)
    raise ValueError(
        f"{name}: {said!r} is one value, which belongs into the recipe. Give a list to choose from, or low and high."
    )


def _choices(name: str, said: list, parser: OptionParser) -> Choices:
    if not said:
        raise ValueError(f"{name} has nothing to choose from: its list is empty.")
    values = [_typed(name, value, parser) for value in said]
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(f"{name}: {value!r} stands twice in its list.")
    return Choices(values)


def _numbers(name: str, said: dict, parser: OptionParser) -> Numbers:
    if unknown := [key for key in said if key not in KEYS]:
        raise ValueError(f"{name}: unknown key {unknown[0]!r}. Numbers are said by low and high, and log or step.")
    if missing := [key for key in ("low", "high") if said.get(key) is None]:
        raise ValueError(f"{name}: {missing[0]} is missing.")
    low, high = (_number(name, key, said[key], parser) for key in ("low", "high"))
    step = None if said.get("step") is None else _number(name, "step", said["step"], parser)
    log = said.get("log") or False
    if not isinstance(log, bool):
        raise ValueError(f"{name}: log={log!r} must be true or false.")
    if low >= high:
        raise ValueError(f"{name}: low={low} must be below high={high}.")
    if log and step is not None:
        raise ValueError(f"{name}: log and step rule each other out: give one of them.")
    if log and low <= 0:
        raise ValueError(f"{name}: low={low} must be above 0 where log is true.")
    if step is not None and not 0 < step <= high - low:
        raise ValueError(f"{name}: step={step} must be above 0, and at most high - low = {high - low}.")
    return Numbers(low, high, log, step, _is_whole(name, (low, high, step), parser))


def _is_whole(name: str, numbers: tuple, parser: OptionParser) -> bool:
    """Whether only whole numbers are tried: of what is counted, and of steps in place of a share of the run."""
    option, key = split_name(name)
    if key:
        return all(number is None or isinstance(number, int) for number in numbers)
    low, high, _ = numbers
    shared = RANGES[option].share_of if option in RANGES else ""
    if shared and high > 1:
        if 0 < low < 1:
            raise ValueError(f"{name}: low={low} is a share of {shared}, and high={high} is none: give both alike.")
        return True
    return parser.options[option].type is int


def _number(name: str, key: str, said: Any, parser: OptionParser) -> float:
    value = _typed(name, said, parser)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}: {key}={said!r} is no number: give a list of values to choose from.")
    return value


def _typed(name: str, said: Any, parser: OptionParser) -> Any:
    """A value as its option takes it; of a key of an object, as YAML reads it, but `1e-3` as a number."""
    option, key = split_name(name)
    if not key:
        return parser.typed(option, said)
    if isinstance(said, dict | list):
        raise ValueError(f"{name}: {said!r} is no single value.")
    with contextlib.suppress(TypeError, ValueError):
        return float(said) if isinstance(said, str) else said
    return said
