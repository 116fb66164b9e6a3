"""Records of runs without the paths of the machine they were made on, for others to read."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from markupsafe import escape

from ..bundles import public_name
from ..corpora.names import CORPORA, split_names
from ..hub import is_hub_id
from ..runs import RunSettings

BEFORE = r"(?<![\w/\\.])(?:file://[^\s/'\"<>]*|~|\.{1,2}|[A-Za-z]:|\\)?"
PATH_IN_TEXT = re.compile(
    rf"(?<=['\"]){BEFORE}[/\\][^/\\'\"<>\n]+[/\\][^'\"<>\n]+(?=['\"])"
    rf"|{BEFORE}[/\\][^\s/\\'\"<>]+[/\\][^\s'\"<>:,;()]+"
)
"""A whole path in the words of an error; where it is quoted, with its blanks."""


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
            yield run.model.name, public_name(run.model.name)
        for source in run.pieces.sources:
            yield from _names_in(source).items()
        if run.output.soundfont is not None:
            yield run.output.soundfont, public_name(run.output.soundfont)

    def replace(self, text: str) -> str:
        """A text in which no path stands."""
        if text in self._names:
            return self._names[text]
        for path in sorted(self._names, key=len, reverse=True):
            if os.sep in path:
                text = text.replace(path, self._names[path])
        return without_paths(text)

    def replace_in_page(self, page: str, record: dict[str, Any]) -> str:
        """
        The page of a report in which no path stands.

        Args:
            page (`str`): HTML.
            record (`dict`): what the page was made of.
        """
        texts = [*self._names, *_texts(record)]
        for text in sorted({text for text in texts if os.sep in text and self.replace(text) != text}, key=len)[::-1]:
            shared = self.replace(text)
            page = page.replace(str(escape(text)), str(escape(shared)))
            page = page.replace(str(escape(_as_json(text))), str(escape(_as_json(shared))))
        return page

    def replace_in(self, value: Any) -> Any:
        """Plain values in whose texts no path stands."""
        if isinstance(value, dict):
            return {key: self.replace_in(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.replace_in(item) for item in value]
        return self.replace(value) if isinstance(value, str) else value


def without_paths(text: str) -> str:
    """The words of an error, with the last part of each path that stands in them."""
    return PATH_IN_TEXT.sub(lambda match: public_name(match[0].replace("\\", "/")), text)


def _as_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _texts(value: Any) -> Iterator[str]:
    """Texts among plain values."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _names_in(text: str) -> dict[str, str]:
    """Of corpora, or files, that may be joined."""
    names = [name for name in split_names(text) if name not in CORPORA and _is_local(name)]
    shared = {name: public_name(name) for name in names}
    whole = "+".join(shared.get(name, name) for name in split_names(text))
    return {**shared, **({text: whole} if whole != text else {})}


def _is_local(name: str) -> bool:
    path = os.path.expanduser(name)
    return os.path.exists(path) or (("/" in name or os.sep in name) and not is_hub_id(name))
