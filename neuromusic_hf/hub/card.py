"""Cards: README.md of a repository, written by us in sections, and by its owner wherever he likes."""

import bisect
import hashlib
import logging
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml
from huggingface_hub import ModelCard, ModelCardData
from huggingface_hub.utils import yaml_dump

from .plain_yaml import load_yaml

logger = logging.getLogger(__name__)

CARD_NAME = "README.md"
OURS = "neuromusic_hf"
TAGS = ("music", "midi", "symbolic-music", OURS)
"""Of whatever is pushed, beside its own."""
METADATA = "metadata"
HASH_DIGITS = 12
MOST_LETTERS = 1 << 18
DEEPEST = 20
"""Of metadata: their size, and lists within lists."""

_FRONT = re.compile(r"\A\ufeff?---[ \t]*\n(.*?\n)?---[ \t]*(?:\n|\Z)", re.DOTALL)
_BEGIN = re.compile(rf"<!-- {OURS}: (?P<name>[\w-]+) (?P<hash>[0-9a-f]{{{HASH_DIGITS}}}) -->\n?")
_END = re.compile(r"<!-- /(?P<name>[\w-]+) -->\n?")
_WRITTEN = re.compile(rf"^<!-- {OURS}: {METADATA}(?P<keys>(?: [\w-]+=[0-9a-f]+)*) -->$", re.MULTILINE)
_MARK = re.compile(rf"^<!-- (?:{OURS}: |/[\w-]+ -->)", re.MULTILINE)
_FILLED_IN = re.compile(r"# Model Card for |This is the model card of a |### Framework versions|- PEFT ")
"""How lines begin that other libraries write into the blank template of a card."""


@dataclass(frozen=True)
class Section:
    """
    A part of a card that is written anew with each push, as long as nobody else has changed it.

    Args:
        name (`str`): by which a later push knows it: letters, digits, `-` and `_`.
        text (`str`): Markdown, with its heading.

    Raises:
        `ValueError`: the text holds a line that looks like the end of a section.
    """

    name: str
    text: str

    def __post_init__(self):
        if _MARK.search(self.text):
            raise ValueError(f"The section {self.name!r} of a card holds a mark of sections: {self.text!r}.")

    def __str__(self) -> str:
        text = _tidy(self.text)
        return f"<!-- {OURS}: {self.name} {_hash(text)} -->\n{text}\n<!-- /{self.name} -->"


@dataclass(frozen=True)
class Card:
    """
    What a card says of a repository.

    In the file, sections stand between comments that hold a hash of what was written. On a later push a section that
    still has it is written anew, and one that was changed stays as it is: to be rid of one for good, leave its
    comments and nothing between them. The same holds for keys of the metadata. What else stands in the file stays.

    Args:
        title (`str`): heading of a new card, in Markdown.
        metadata (`dict`): what the Hub reads (`license`, `tags`, ...), as plain values; `None` is left out.
        sections (list of [`Section`]): in their order.

    Example:
    ```py
    >>> from neuromusic_hf.hub import Card, Section
    >>> card = Card("My corpus", {"license": "mit"}, [Section("about", "40 pieces for flute.")])
    >>> first = card.render()
    >>> mended = first.replace("40 pieces", "40 *short* pieces")
    >>> card.render(mended) == mended
    True
    ```
    """

    title: str
    metadata: dict
    sections: list[Section] = field(default_factory=list)

    def render(self, existing: str | None = None) -> str:
        """
        Writes the file.

        Args:
            existing (`str`, *optional*): the file that is there already, which is gone on with.

        Raises:
            `ValueError`: its metadata are no YAML.
        """
        existing = (existing or "").replace("\r\n", "\n")
        there, body = _split(existing)
        if _is_blank_template(body):
            there, body = {}, ""
        written = _WRITTEN.search(body)
        hashes = dict(pair.split("=") for pair in written["keys"].split()) if written else {}
        metadata, hashes = self._merge_metadata(there, hashes)
        body = self._merge_body(_WRITTEN.sub("", body)).strip()
        record = " ".join([METADATA, *(f"{key}={value}" for key, value in hashes.items())])
        front = f"---\n{yaml_dump(metadata, sort_keys=False).strip()}\n---\n\n" if metadata else ""
        return f"{front}<!-- {OURS}: {record} -->\n\n{body}\n"

    def _merge_metadata(self, there: dict, hashes: dict[str, str]) -> tuple[dict, dict[str, str]]:
        """The metadata, and hashes of what of it is ours."""
        ours = {key: value for key, value in self.metadata.items() if value not in (None, [], {})}
        merged = {**there}
        for key in [*ours, *(key for key in hashes if key not in ours)]:
            is_theirs = _value_hash(there[key]) != hashes.get(key) if key in there else key in hashes
            if is_theirs:
                logger.info("%s: %s is left as it was changed.", CARD_NAME, key)
            elif key in ours:
                merged[key], hashes[key] = ours[key], _value_hash(ours[key])
            else:
                del merged[key], hashes[key]
        return merged, hashes

    def _merge_body(self, body: str) -> str:
        title = Section("title", f"# {self.title}")
        if not body.strip():
            return "\n\n".join(map(str, [title, *self.sections]))
        ours = {section.name: section for section in [title, *self.sections]}
        found: set[str] = set()

        parts, end = [], 0
        for there in _find_sections(body):
            found.add(there.name)
            parts.append(body[end : there.start])
            if _hash(_tidy(there.text)) != there.hash:
                logger.info("%s: the section %s is left as it was changed.", CARD_NAME, there.name)
                parts.append(body[there.start : there.end])
            elif there.name in ours:
                parts.append(str(ours[there.name]))
            end = there.end
        body = "".join([*parts, body[end:]])
        for before, section in zip([None, *self.sections], self.sections, strict=False):
            if section.name not in found:
                body = _insert(body, str(section), before.name if before else None)
                found.add(section.name)
        return body


def split_card(text: str) -> tuple[dict[str, Any], str]:
    """
    Metadata of a card, and the rest of it. Lines end as in Unix.

    Raises:
        `ValueError`: they are more than is read, or no metadata; the message goes on after the name of the file.
    """
    front = _FRONT.match(text)
    if front is None:
        return {}, text
    head = front[1] or ""
    if len(head) > MOST_LETTERS:
        raise ValueError(f"has {len(head)} letters, limit {MOST_LETTERS}")
    try:
        metadata = load_yaml(head, deepest=DEEPEST) or {}
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"is no YAML: {error}") from error
    if not isinstance(metadata, dict):
        raise ValueError("is no list of 'key: value' lines")
    return metadata, text[front.end() :]


def read_card(text: str) -> tuple[dict, list[Section]]:
    """
    Reads what stands in a card: its metadata, and the sections that are ours, as they stand there.

    One into which a mark of sections was written is no section.

    Raises:
        `ValueError`: its metadata are no YAML.
    """
    metadata, body = _split(text.replace("\r\n", "\n"))
    found = _find_sections(body)
    return metadata, [Section(there.name, there.text) for there in found if not _MARK.search(there.text)]


class _Found(NamedTuple):
    """A section as it stands in a file, from `start` to `end`."""

    name: str
    hash: str
    text: str
    start: int
    end: int


def _find_sections(body: str) -> list[_Found]:
    """All sections, one behind another: each from its first mark to the next end of its name."""
    ends: dict[str, list[tuple[int, int]]] = {}
    begins, place = [], 0
    for line in re.findall(r".*\n|.+", body):
        if begin := _BEGIN.fullmatch(line):
            begins.append((place, begin))
        elif end := _END.fullmatch(line):
            ends.setdefault(end["name"], []).append((place, place + len(line.rstrip("\n"))))
        place += len(line)
    found, behind = [], 0
    for start, begin in begins:
        text = start + len(begin[0])
        of_name = ends.get(begin["name"], [])
        index = bisect.bisect_left(of_name, (text, 0))
        if start >= behind and index < len(of_name):
            last, behind = of_name[index]
            found.append(_Found(begin["name"], begin["hash"], body[text:last], start, behind))
    return found


def own_lines(text: str) -> list[str]:
    """The lines of a card that its owner wrote: outside of sections that are ours, and in those that were changed."""
    body = _FRONT.sub("", text.replace("\r\n", "\n"))
    if _is_blank_template(body):
        return []

    body, parts, end = _WRITTEN.sub("", body), [], 0
    for there in _find_sections(body):
        parts.append(body[end : there.start])
        if _hash(_tidy(there.text)) != there.hash:
            parts.append(there.text)
        end = there.end
    lines = "".join([*parts, body[end:]]).splitlines()
    return [line.strip() for line in lines if line.strip()]


def _insert(body: str, section: str, before: str | None) -> str:
    """Puts a section behind that of a name, or in front of all sections, or at the end."""
    found = _find_sections(body)
    for there in found:
        if there.name == before:
            return f"{body[: there.end]}\n\n{section}{body[there.end :]}"
    if before is None and found:
        return f"{body[: found[0].start]}{section}\n\n{body[found[0].start :]}"
    return f"{body.rstrip()}\n\n{section}\n"


def _split(text: str) -> tuple[dict, str]:
    try:
        return split_card(text)
    except ValueError as error:
        problem = f"The metadata of {CARD_NAME} cannot be read: its head {error}."
        raise ValueError(f"{problem} Mend it, and push again.") from error


def _is_blank_template(body: str) -> bool:
    """Whether it is a template of other libraries in which nobody has written a word."""
    if "[More Information Needed]" not in body:
        return False
    template = {line.strip() for line in ModelCard.from_template(ModelCardData()).text.splitlines()}
    lines = {line.strip() for line in body.splitlines()} - template
    return all(_FILLED_IN.match(line) for line in lines)


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]


def _value_hash(value: object) -> str:
    return _hash(yaml_dump(value, sort_keys=True))
