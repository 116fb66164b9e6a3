"""Records of runs without the paths of the machine they were made on, for others to read."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..bundles import ModelIdentity
from ..corpora.names import CORPORA, split_names
from ..runs import RunSettings

PATH_IN_TEXT = re.compile(r"(?<![\w/\\:.])(?:~|[A-Za-z]:)?[/\\][^\s/\\'\"<>]+[/\\][^\s'\"<>:,;()]+")
"""A whole path in the words of an error."""


class PublicNames:
    """
    What paths are called where others read it: their last part, and a bundle by the folder of its run.

    Args:
        run ([`RunSettings`]): names a model, pieces and a soundfont, which may be paths.
        others (iterable of `str`, *optional*): other paths, and names of corpora.
    """

    def __init__(self, run: RunSettings, others: Iterable[str] = ()):
        self._names = dict(self._of_run(run))
        for text in others:
            self._names |= _names_in(text)

    def _of_run(self, run: RunSettings) -> Iterator[tuple[str, str]]:
        if run.model.is_of_folder:
            yield run.model.name, _last_part(run.model.name)
        for source in run.pieces.sources:
            yield from _names_in(source).items()
        if run.output.soundfont is not None:
            yield run.output.soundfont, _last_part(run.output.soundfont)

    def replace(self, text: str) -> str:
        """A text in which no path stands."""
        if text in self._names:
            return self._names[text]
        for path in sorted(self._names, key=len, reverse=True):
            if os.sep in path:
                text = text.replace(path, self._names[path])
        return PATH_IN_TEXT.sub(lambda match: _last_part(match[0]), text)

    def replace_in(self, value: Any) -> Any:
        """Plain values in whose texts no path stands."""
        if isinstance(value, dict):
            return {key: self.replace_in(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.replace_in(item) for item in value]
        return self.replace(value) if isinstance(value, str) else value


def public_identity(model: ModelIdentity) -> str:
    """What a model is called where others read it."""
    return _last_part(model.name) if model.is_of_folder else model.name


def _names_in(text: str) -> dict[str, str]:
    """Of corpora, or files, that may be joined."""
    names = [name for name in split_names(text) if name not in CORPORA and _is_local(name)]
    shared = {name: _last_part(name) for name in names}
    whole = "+".join(shared.get(name, name) for name in split_names(text))
    return {**shared, **({text: whole} if whole != text else {})}


def _is_local(name: str) -> bool:
    path = os.path.expanduser(name)
    is_hub_id = re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name) is not None
    return os.path.exists(path) or (("/" in name or os.sep in name) and not is_hub_id)


def _last_part(path: str) -> str:
    found = Path(os.path.abspath(os.path.expanduser(path)))
    return found.parent.name if found.name == "bundle" else found.name
