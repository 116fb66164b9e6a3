"""Options of what runs the tasks, as they stand on a command line."""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

EXECUTORS = ("local", "slurm", "ray")
OURS = ("pipeline", "tasks", "logging_dir", "depends")
"""What is given to an executor by us."""

NOTHING = "None"


def read_options(given: Iterable[str], kind: type, **known: Any) -> dict[str, Any]:
    """
    Reads options of an executor as they stand on a command line, each as what the executor takes it for.

    Args:
        given (iterable of `str`): `"partition=cpu"`, `"requeue=false"`; mappings and sequences as JSON.
        kind (`type`): an executor, as of [`executor_class`].
        known: others, which count if they are not `None`.

    Raises:
        `ValueError`: one has no `=`, or the executor has none of its name, or does not take its value.
    """
    pairs = [option.partition("=") for option in given]
    if wrong := [name for name, sign, _ in pairs if not (name and sign)]:
        raise ValueError(f"Options of an executor are written name=value, got {wrong[0]!r}.")
    _check_known(kind, [name for name, _, _ in pairs])
    takes = _options(kind)
    return {name: _value(takes[name], text) for name, _, text in pairs} | {
        name: value for name, value in known.items() if value is not None
    }


def check_options(kind: type, options: Mapping[str, Any]) -> None:
    """
    Refuses options that an executor does not have, or lacks.

    Args:
        kind (`type`): an executor of datatrove.
        options (mapping): by name.

    Raises:
        `ValueError`: naming them.
    """
    _check_known(kind, options)
    needed = {name for name, each in _options(kind).items() if each.default is each.empty}
    if missing := sorted(needed - options.keys()):
        raise ValueError(f"{kind.__name__} needs {', '.join(missing)}. Its options are {', '.join(_options(kind))}.")


def _options(kind: type) -> dict[str, inspect.Parameter]:
    takes = inspect.signature(kind, eval_str=True).parameters
    return {name: each for name, each in takes.items() if name not in OURS}


def _check_known(kind: type, names: Iterable[str]) -> None:
    if unknown := sorted(set(names) - _options(kind).keys()):
        raise ValueError(
            f"{kind.__name__} has no option {', '.join(unknown)}. Its options are {', '.join(_options(kind))}."
        )


def _value(option: inspect.Parameter, text: str) -> Any:
    name, hint = option.name, option.annotation
    kinds = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)
    if text == NOTHING and (option.default is None or type(None) in kinds):
        return None
    for each in kinds:
        read = _READERS.get(typing.get_origin(each) or each)
        if read is not None:
            try:
                return read(text)
            except ValueError as error:
                raise ValueError(f"The option {name}={text}: {error}") from error
    raise ValueError(f"The option {name} cannot stand on a command line: give it in Python, to prepare_corpus.")


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("write true or false.")
    return text.lower() == "true"


def _json(kind: type, written: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if not isinstance(found := json.loads(text), kind):
            raise ValueError(f"write JSON, such as {written}.")
        return found

    return read


_READERS: dict[Any, Callable[[str], Any]] = {
    bool: _truth,
    int: int,
    float: float,
    str: str,
    dict: _json(dict, '{"account": "music"}'),
    tuple: _json(list, '["SIGUSR1"]'),
}
