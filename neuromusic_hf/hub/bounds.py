"""What files of a stranger may be: measured before they are read, and refused by name."""

import json
from pathlib import Path
from typing import Any

MEBIBYTE = 2**20
MOST_BYTES = MEBIBYTE
"""Of a JSON file; those that hold vocabularies have a bound of their own."""

MOST_BYTES_OF_VOCABULARIES = 32 * MEBIBYTE
DEEPEST = 64
MOST_SHOWN = 60


def read_object(path: str | Path, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """
    Reads a JSON file that holds an object.

    Args:
        path (`str` or `Path`): the file.
        most_bytes (`int`, *optional*, defaults to a mebibyte): how large it may be.

    Raises:
        `OSError`: it cannot be read.
        `ValueError`: it is too large, no JSON, no object, or nested too deeply.
    """
    content = read_content(path, most_bytes)
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds {shown(content)} in place of an object: it is damaged; get it again.")
    return content


def read_content(path: str | Path, most_bytes: int = MOST_BYTES) -> Any:
    """Reads a JSON file, whatever it holds; otherwise as [`read_object`]."""
    size = Path(path).stat().st_size
    if size > most_bytes:
        raise ValueError(f"{path} has {size:,} bytes, and may have {most_bytes:,} at most: it is not read.")
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON ({error}): it is damaged; get it again.") from error
    if not _is_flat(content):
        raise ValueError(f"{path} is nested more than {DEEPEST} levels deep: it is not read.")
    return content


def shown(value: Any) -> str:
    """A value as a message shows it: not longer than a line."""
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _is_flat(content: Any) -> bool:
    level = [content]
    for _ in range(DEEPEST):
        level = [item for value in level for item in _items(value)]
        if not level:
            return True
    return False


def _items(value: Any) -> list:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
