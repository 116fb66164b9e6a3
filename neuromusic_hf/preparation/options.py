"""Options of what runs the tasks, as they stand on a command line."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

EXECUTORS = ("local", "slurm", "ray")


def read_options(given: Iterable[str], **known: Any) -> dict[str, Any]:
    """
    Reads options of an executor as they stand on a command line.

    Args:
        given (iterable of `str`): `"partition=cpu"`; what looks like a number is one.
        known: others, which count if they are not `None`.

    Raises:
        `ValueError`: one has no `=`.
    """
    pairs = [option.partition("=") for option in given]
    if wrong := [name for name, sign, _ in pairs if not (name and sign)]:
        raise ValueError(f"Options of an executor are written name=value, got {wrong[0]!r}.")
    return {name: _number(value) for name, _, value in pairs} | {
        name: value for name, value in known.items() if value is not None
    }


def _number(value: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def check_options(kind: type, options: Mapping[str, Any]) -> None:
    """
    Refuses options that an executor does not have, or lacks.

    Args:
        kind (`type`): an executor of datatrove.
        options (mapping): by name.

    Raises:
        `ValueError`: naming them.
    """
    takes = {
        name: each
        for name, each in inspect.signature(kind).parameters.items()
        if name not in ("pipeline", "tasks", "logging_dir", "depends")
    }
    needed = {name for name, each in takes.items() if each.default is each.empty}
    if (unknown := sorted(options.keys() - takes)) or (missing := sorted(needed - options.keys())):
        fault = f"has no option {', '.join(unknown)}" if unknown else f"needs {', '.join(missing)}"
        raise ValueError(f"{kind.__name__} {fault}. Its options are {', '.join(takes)}.")
