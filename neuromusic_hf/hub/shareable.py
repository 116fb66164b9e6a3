"""What never leaves this machine, whatever file it stands in: tokens of the Hub, and what tells whose it is."""

import contextlib
import getpass
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import get_token

from .bounds import MOST_BYTES_OF_VOCABULARIES, read_content

TEXTS = (".json", ".yaml", ".yml", ".md", ".txt", ".csv", ".tsv", ".py", ".jinja", ".html")
SETTINGS = (".json", ".yaml", ".yml")
VOCABULARIES = ("tokenizer.json", "vocab.json")
"""Tokens can look like paths."""

NOBODY = (
    "root",
    "user",
    "ubuntu",
    "debian",
    "admin",
    "runner",
    "jovyan",
    "docker",
    "vscode",
    "nobody",
    "music",
    "midi",
)
"""Names of accounts that tell nothing of whoever has them, or are words of ours."""

SHORTEST_NAME = 4
"""Letters of a name of an account that is looked for; shorter ones are words too often."""

_TOKEN = r"(?<![A-Za-z0-9])(?:(?:hf_|api_org_)[A-Za-z0-9]{30,}|hf_oauth_[\w.-]{20,})"
_ADDRESS = re.compile(
    r"\b(?!file:)[a-z][a-z0-9+.-]*://[^\s\"'<>`]*|\bdata:[\w/+.;-]+,[\w/+=%-]*|(?<=\]\()/[^\s)]*", re.I
)
"""An address, data that stand in a page, or a link within a site."""

_FAR = r"/[\w.-]+/\w|(?<!:)//\w[\w.-]*/\w|[A-Za-z]:[\\/]Users[\\/]\w|(?i:file):[\\/]"
_LOCAL = re.compile(
    rf"""(?:^|[\s+:=,;"'(\[{{|`>@])(?:{_FAR}|\.\.[\\/]|~(?:[^\W\d][\w.-]*)?/|[A-Za-z]:[\\/]\w|\\\\\w[\w.-]*\\\w)"""
    r"""|(?:^|[+:=,;"'(])/[\w.-]{2}|(?i:^file:)"""
)
"""A path in a text that a program wrote."""

_ANYWHERE = "usr|bin|sbin|lib|etc|dev|tmp|opt|proc|sys|var|path|app|content|kaggle"
"""Folders that many machines have."""

_IN_PROSE = re.compile(rf"""(?:^|[\s+:=,;"'(\[{{|`>@])(?!/(?:{_ANYWHERE})/)(?:{_FAR}|~[^\W\d][\w.-]*/\w)""", re.M)
"""A path in a text that people write, or in code: what any reader's machine may have is none."""


def check_shareable(path: str | Path, token: str | bool | None = None):
    """
    Refuses a file of text or settings that holds a token of the Hub, or a path or the user's name of this machine.

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
    if path.suffix not in SETTINGS:
        return check_text(text, path, token)
    secrets, account = _secrets(token), _account()
    _refuse_secrets(text, path, secrets)
    for place, value in _strings(read_content(path, MOST_BYTES_OF_VOCABULARIES)):
        _refuse_secrets(value, path, secrets)
        if path.name not in VOCABULARIES:
            _check_setting(value, place, path, account)


def check_text(text: str, source: str | Path, token: str | bool | None = None):
    """
    Refuses what people write, or code, that holds a token of the Hub, or a path of this machine.

    Args:
        text (`str`): about to be pushed.
        source (`str` or `Path`): what errors call it.
        token (`str` or `bool`, *optional*): another token than that of `hf auth login` or `HF_TOKEN`.

    Raises:
        `ValueError`: naming the source, and what is wrong with it.
    """
    _refuse_secrets(text, source, _secrets(token))
    if found := _IN_PROSE.search(_ADDRESS.sub(" ", text)) or _home().search(text):
        raise _names_path(source, " ".join(found.string[found.start() : found.start() + 80].split()))


def _secrets(token: str | bool | None) -> re.Pattern:
    """Tokens of any form, and those of this user."""
    own = {each for each in (token, get_token()) if isinstance(each, str) and each}
    return re.compile("|".join([_TOKEN, *map(re.escape, own)]))


def _refuse_secrets(text: str, source: str | Path, secrets: re.Pattern):
    if secrets.search(text):
        raise ValueError(f"{source} holds a token of the Hub: nothing is pushed. Take it out there, and revoke it.")


def _check_setting(value: str, place: str, path: str | Path, account: re.Pattern | None):
    plain = _ADDRESS.sub(" ", value)
    if _LOCAL.search(plain) or _home().search(value):
        raise _names_path(path, f"{place}: {value}")
    if account is not None and account.search(plain):
        raise ValueError(
            f"{path} names the account that you use on this machine ({place}: {value}): nothing is pushed. Take it "
            "out there."
        )


def _names_path(source: str | Path, what: str) -> ValueError:
    return ValueError(
        f"{source} names a path of this machine ({what}): nothing is pushed. Take it out there, or write a Hub id in "
        "its place."
    )


def _home() -> re.Pattern:
    """The user's own folder, wherever it stands."""
    return re.compile(rf"{re.escape(str(Path.home()))}[/\\]")


def _account() -> re.Pattern | None:
    """The name of the account as a word, if it tells whose it is; in the id of a repository it is another's."""
    with contextlib.suppress(ImportError, KeyError, OSError):  # where a machine has none
        name = getpass.getuser()
        if len(name) >= SHORTEST_NAME and name.lower() not in NOBODY:
            return re.compile(rf"(?<![\w/.@-]){re.escape(name)}(?![\w/-])")
    return None


def without_secrets(text: str) -> str:
    """A text as it is; words in its place where a setting that holds it would not be pushed."""
    try:
        _refuse_secrets(text, "", _secrets(None))
        _check_setting(text, "", "", _account())
    except ValueError:
        return "(left out: it names a path or a token)"
    return text


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
