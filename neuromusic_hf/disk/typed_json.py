"""JSON files that we write and read back as dataclasses: whole, and of the shape they declare, or refused by name."""

import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, overload

from .whole import write_whole

LARGEST_FILE = 2**28
"""In bytes."""

MOST_SHOWN = 60
INTEGERS = range(-(2**63), 2**64)
"""What a table can hold, as a signed number or as one without a sign."""

LEFT_OUT_IF_NONE = "left_out_if_none"
NAMES = {dict: "an object", list: "a list", str: "text", int: "a whole number", float: "a number", bool: "a bool"}

Shape = TypeVar("Shape")


@overload
def read_json(path: str | Path, shape: type[Shape], what: str, remedy: str) -> Shape: ...
@overload
def read_json(path: str | Path, shape: Any, what: str, remedy: str) -> Any: ...
def read_json(path, shape, what, remedy):
    """
    Reads a JSON file, the inverse of [`write_json`].

    Args:
        path (`str` or `Path`): the file.
        shape (`type`):
            What it must hold: a dataclass (an object with its fields, those with a default may be missing, others are
            let be), `dict[str, ...]`, `list[...]`, a tuple (a list of that length), `str`, `int`, `float`, `bool`,
            unions of these, or `Any`.
        what (`str`): how the error goes on after the path, such as `"is not the manifest of a run"`.
        remedy (`str`): what to do if it is not, for the error.

    Returns:
        What the file holds, as `shape` says.

    Raises:
        `OSError`: the file cannot be read.
        `ValueError`: it is too large, no JSON, of another shape, or a dataclass refuses its fields; file, place, value
            and remedy are told.
    """
    try:
        if (size := Path(path).stat().st_size) > LARGEST_FILE:
            raise ValueError(f"it has {size:,} bytes, and may have {LARGEST_FILE:,} at most")
        text = Path(path).read_bytes().decode("utf-8-sig")
        content = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_without_twins)
        return from_json(content, shape, "its content")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} {what}: {error}. {remedy}") from error


def write_json(path: Path, value: Any, *, ascii_only: bool = True) -> None:
    """
    Writes a JSON file in one step: whoever looks finds nothing, the old content, or all of the new.

    Args:
        path (`Path`): the file; its folder is there.
        value: a dataclass or plain values, as of [`to_json`].
        ascii_only (`bool`, *optional*, defaults to `True`): escape other characters.

    Raises:
        `OSError`: it cannot be written; the path and the reason are told.
    """
    text = json.dumps(to_json(value), indent=2, ensure_ascii=ascii_only)
    write_whole(path, text + "\n")


def left_out_if_none() -> Any:
    """A field of a dataclass that is `None` by default, and does not stand in the file where it is."""
    return dataclasses.field(default=None, metadata={LEFT_OUT_IF_NONE: True})


def to_json(value: Any) -> Any:
    """
    Plain JSON values of a dataclass, and of all in it: its fields in order, or what its own `to_dict()` says.

    Numbers that are not finite become `None`: JSON has no word for them.

    Args:
        value: a dataclass, mapping, list or tuple of these, or a plain value.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        own = getattr(value, "to_dict", None)
        return to_json(own() if own else _fields_of(value))
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@overload
def from_json(value: Any, shape: type[Shape], place: str) -> Shape: ...
@overload
def from_json(value: Any, shape: Any, place: str) -> Any: ...
def from_json(value, shape, place):
    """
    Makes of plain JSON values what they stand for, the inverse of [`to_json`].

    Args:
        value: as `json.loads` gives it.
        shape (`type`): as of [`read_json`].
        place (`str`): where it stands, such as `pieces[3].files`.

    Raises:
        `ValueError`: it is of another shape, or a dataclass refuses its fields.
    """
    origin, arguments = typing.get_origin(shape), typing.get_args(shape)
    if origin in (typing.Union, types.UnionType):
        plain = [each for each in arguments if each is not types.NoneType]
        if value is None and len(plain) < len(arguments):
            return None
        return _one_of(value, plain, place)
    if dataclasses.is_dataclass(shape):
        return _object(value, shape, place)
    if origin is dict:
        return {
            key: from_json(item, arguments[1], f"{place}[{key!r}]")
            for key, item in _expect(value, dict, place).items()
        }
    if origin is list:
        items = enumerate(_expect(value, list, place))
        return [from_json(item, arguments[0], f"{place}[{index}]") for index, item in items]
    if origin is tuple:
        if len(_expect(value, list, place)) != len(arguments):
            raise ValueError(f"{place} has {len(value)} items instead of {len(arguments)}")
        pairs = enumerate(zip(value, arguments, strict=True))
        return tuple(from_json(item, each, f"{place}[{index}]") for index, (item, each) in pairs)
    return value if shape is Any else _expect(value, shape, place)


def _fields_of(value: Any) -> dict[str, Any]:
    pairs = ((each, getattr(value, each.name)) for each in dataclasses.fields(value))
    return {each.name: item for each, item in pairs if item is not None or LEFT_OUT_IF_NONE not in each.metadata}


def _one_of(value: Any, shapes: list, place: str) -> Any:
    for shape in shapes[:-1]:
        try:
            return from_json(value, shape, place)
        except ValueError:
            continue
    return from_json(value, shapes[-1], place)


def _object(value: Any, cls: Any, place: str) -> Any:
    _expect(value, dict, place)
    found = {}
    for field in dataclasses.fields(cls):
        if field.name in value:
            inner = f"{place}.{field.name}".removeprefix("its content.")
            found[field.name] = from_json(value[field.name], _types_of(cls)[field.name], inner)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{place} lacks {field.name!r}")
    return cls(**found)


@functools.cache
def _types_of(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _expect(value: Any, kind: type, place: str) -> Any:
    fits = isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))
    if fits and isinstance(value, int):
        fits = value in INTEGERS
    elif fits and isinstance(value, float):
        fits = math.isfinite(value)
    elif fits and isinstance(value, str):
        fits = value.encode("utf-8", "ignore").decode("utf-8") == value
    if not fits:
        shown = repr(value) if not isinstance(value, int) or abs(value) < 10**MOST_SHOWN else "a huge number"
        raise ValueError(f"{place} is {shown[:MOST_SHOWN]}, not {NAMES[kind]}")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)!r} stands there twice")
    return content
