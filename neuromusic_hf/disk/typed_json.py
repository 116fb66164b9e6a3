"""JSON files that we wrote, read back: whole, and of the shape that a dataclass declares, or refused by name."""

import dataclasses
import json
import math
import types
import typing
from pathlib import Path
from typing import Any

MOST_SHOWN = 60
LONGEST_INTEGER = 63
"""Bits: what a table can hold."""


def read_json(path: str | Path, shape: Any, what: str, remedy: str) -> Any:
    """
    Reads a JSON file.

    Args:
        path (`str` or `Path`): the file.
        shape (type):
            What it must hold: a dataclass (an object with its fields, those with a default may be missing, others are
            let be), `dict[str, ...]`, `list[...]`, a tuple (a list of that length), `str`, `int`, `float`, `bool`,
            unions of these, or `Any`.
        what (`str`): how the error goes on after the path, such as `"is not the manifest of a run"`.
        remedy (`str`): what to do if it is not, for the error.

    Returns:
        The content, as plain JSON values.

    Raises:
        `OSError`: the file cannot be read.
        `ValueError`: it is no JSON, or of another shape; file, place, value and remedy are told.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
        content = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_without_twins)
        check_shape(content, shape, "its content")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} {what}: {error}. {remedy}") from error
    return content


def check_shape(value: Any, shape: Any, place: str) -> None:
    """
    Checks a JSON value.

    Args:
        value: as `json.loads` gives it.
        shape (type): as of [`read_json`].
        place (`str`): where it stands, such as `pieces[3].files`.

    Raises:
        `ValueError`: it is of another shape.
    """
    origin, arguments = typing.get_origin(shape), typing.get_args(shape)
    if origin in (typing.Union, types.UnionType):
        plain = [each for each in arguments if each is not types.NoneType]
        if value is not None or len(plain) == len(arguments):
            _check_one_of(value, plain, place)
    elif dataclasses.is_dataclass(shape):
        _check_object(value, shape, place)
    elif origin is dict:
        for key, item in _expect(value, dict, place).items():
            check_shape(item, arguments[1], f"{place}[{key!r}]")
    elif origin is list:
        for index, item in enumerate(_expect(value, list, place)):
            check_shape(item, arguments[0], f"{place}[{index}]")
    elif origin is tuple:
        if len(_expect(value, list, place)) != len(arguments):
            raise ValueError(f"{place} has {len(value)} items instead of {len(arguments)}")
        for index, (item, each) in enumerate(zip(value, arguments, strict=True)):
            check_shape(item, each, f"{place}[{index}]")
    elif shape is not Any:
        _expect(value, shape, place)


def _check_one_of(value: Any, shapes: list, place: str) -> None:
    for shape in shapes[:-1]:
        try:
            return check_shape(value, shape, place)
        except ValueError:
            continue
    return check_shape(value, shapes[-1], place)


def _check_object(value: Any, cls: type, place: str) -> None:
    _expect(value, dict, place)
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if field.name in value:
            check_shape(value[field.name], hints[field.name], f"{place}.{field.name}".removeprefix("its content."))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{place} lacks {field.name!r}")


def _expect(value: Any, kind: type, place: str) -> Any:
    names = {dict: "an object", list: "a list", str: "text", int: "a whole number", float: "a number", bool: "a bool"}
    fits = isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))
    if fits and isinstance(value, int):
        fits = value.bit_length() <= LONGEST_INTEGER
    elif fits and isinstance(value, float):
        fits = math.isfinite(value)
    elif fits and isinstance(value, str):
        fits = value.encode("utf-8", "ignore").decode("utf-8") == value
    if not fits:
        shown = repr(value) if not isinstance(value, int) or abs(value) < 10**MOST_SHOWN else "a huge number"
        raise ValueError(f"{place} is {shown[:MOST_SHOWN]}, not {names[kind]}")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)!r} stands there twice")
    return content
