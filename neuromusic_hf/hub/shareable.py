"""What never leaves this machine, whatever file it stands in: tokens of the Hub, and paths, which tell whose it is."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import get_token

from .bounds import MOST_BYTES_OF_VOCABULARIES, read_content

TEXTS = (".json", ".yaml", ".yml", ".md", ".txt", ".csv", ".py", ".jinja")
SETTINGS = (".json", ".yaml", ".yml")
VOCABULARIES = ("tokenizer.json", "vocab.json")
"""Tokens can look like paths."""

_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{30,}")
_LOCAL = re.compile(r"""(?:^|[\s+:=,;"'(])(?:/[\w.-]{2}|\.\.[\\/]|~/|[A-Za-z]:[\\/]\w|\\\\\w|file:)""")


def check_shareable(path: str | Path, token: str | bool | None = None):
    """
    Refuses a file of text or settings that holds a token of the Hub, or a path of this machine.

    Args:
        path (`str` or `Path`): a file about to be pushed. Of other kinds of files nothing is read.
        token (`str` or `bool`, *optional*): another token than that of `hf auth login` or `HF_TOKEN`.

    Raises:
        `ValueError`: naming the file, and what is wrong with it.
    """
    path = Path(path)
    if path.suffix not in TEXTS:
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    if _holds_token(text, token):
        raise ValueError(f"{path} holds a token of the Hub: nothing is pushed. Take it out there, and revoke it.")
    if path.suffix in SETTINGS and path.name not in VOCABULARIES:
        for place, value in _strings(read_content(path, MOST_BYTES_OF_VOCABULARIES)):
            if _is_local(value):
                raise ValueError(
                    f"{path} names a path of this machine ({place}: {value}): nothing is pushed. Take it out there, "
                    "or write a Hub id in its place."
                )


def without_secrets(text: str) -> str:
    """A text as it is; words in its place where it holds a token of the Hub or a path of this machine."""
    return "(left out: it names a path or a token)" if _is_local(text) or _holds_token(text, None) else text


def _is_local(text: str) -> bool:
    return bool(_LOCAL.search(text)) or f"{Path.home()}/" in text


def _holds_token(text: str, token: str | bool | None) -> bool:
    secrets = {each for each in (token, get_token()) if isinstance(each, str) and each}
    return bool(_TOKEN.search(text)) or any(secret in text for secret in secrets)


def _strings(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Texts among plain values, keys too, each with where it stands."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield place, str(key)
            yield from _strings(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, f"{place}[{index}]")
