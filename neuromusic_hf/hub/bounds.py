"""What files of a stranger may be: measured before they are read, and refused by name."""

import contextlib
import json
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError, safe_open

from ..borders.rust import is_panic
from .plain_yaml import DEEPEST, load_yaml

MEBIBYTE = 2**20
MOST_BYTES = MEBIBYTE
"""Of a JSON or YAML file; those that hold vocabularies have a bound of their own."""

MOST_BYTES_OF_VOCABULARIES = 32 * MEBIBYTE
MOST_SHOWN = 60
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict = 3, 8, 8
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 4 * MOST_SHOWN


def read_object(path: str | Path, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """
    Reads a JSON file, or one that is called `.yaml` or `.yml`, that holds an object.

    Args:
        path (`str` or `Path`): the file.
        most_bytes (`int`, *optional*, defaults to a mebibyte): how large it may be.

    Raises:
        `OSError`: it cannot be read.
        `ValueError`: it is too large, damaged, no object, or nested too deeply.
    """
    content = read_content(path, most_bytes)
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds {shown(content)} in place of an object: it is damaged; get it again.")
    return content


def read_content(path: str | Path, most_bytes: int = MOST_BYTES) -> Any:
    """Reads a JSON or YAML file, whatever it holds; otherwise as [`read_object`]."""
    kind = "YAML" if Path(path).suffix in (".yaml", ".yml") else "JSON"
    size = Path(path).stat().st_size
    if size > most_bytes:
        raise ValueError(f"{path} has {size:,} bytes, and may have {most_bytes:,} at most: it is not read.")
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = load_yaml(text) if kind == "YAML" else json.loads(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is no {kind} ({reason}): it is damaged, or too much; get it again.") from error
    if not is_flat(content):
        raise ValueError(f"{path} is nested more than {DEEPEST} levels deep: it is not read.")
    return content


@contextlib.contextmanager
def telling_damage(what: str) -> Iterator[None]:
    """
    Tells what a library makes of values that it does not expect.

    Args:
        what (`str`): how the error begins, such as `"model.bin cannot be read"`.

    Raises:
        `ValueError`: in place of any error but those of files; also where Rust gives up.
    """
    try:
        yield
    except OSError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        raise ValueError(f"{what}: {shown(error)}. Get it again, or save it again.") from error


def shown(value: Any) -> str:
    """A value as a message shows it: not longer than a line."""
    text = _SHORT.repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def is_flat(content: Any) -> bool:
    """Whether plain values are nested no more than `DEEPEST` levels deep."""
    level = [content]
    for _ in range(DEEPEST):
        level = [item for value in level for item in _items(value)]
        if not level:
            return True
    return False


def _items(value: Any) -> list:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def check_inside(path: Path, folder: str | Path):
    """
    Checks that a file of a folder is in it, and no link to a file elsewhere.

    In the cache of `huggingface_hub` files are links into a folder beside.

    Raises:
        `ValueError`: it is one.
    """
    home, file = Path(folder).resolve(), path.resolve()
    beside = home.parent.parent / "blobs" if home.parent.name == "snapshots" else home
    if not (file.is_relative_to(home) or file.is_relative_to(beside)):
        raise ValueError(f"{path} is a link to a file outside of {folder}: it is not read; put the file itself there.")


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """
    The shape of each tensor of a safetensors file, from its header alone.

    Raises:
        `ValueError`: the header is too large, or it and the file do not agree.
    """
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
    if size > (most := MOST_BYTES_OF_VOCABULARIES):
        raise ValueError(f"{path} has a header of {size:,} bytes, and may have {most:,} at most: it is not read.")
    try:
        with safe_open(path, framework="np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{path} is no safetensors file: {shown(error)}. Get it again.") from error
