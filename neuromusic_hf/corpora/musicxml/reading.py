"""Elements and numbers of a MusicXML file, where nothing unknown may pass."""

from __future__ import annotations

from collections.abc import Set
from xml.etree.ElementTree import Element

TICKS_A_QUARTER = 10080
"""music21's, which every duration of these works divides into whole ticks."""


class BeyondReader(ValueError):
    """The work holds something that this reader does not know for certain; the message says what."""


def check_known(element: Element, children: Set[str], attributes: Set[str] | None = None) -> None:
    """
    Checks that all of an element is known.

    Args:
        element (`Element`): any.
        children (`set[str]`): tags that it may have in it.
        attributes (`set[str]`, *optional*): names that its attributes may have; any if not given.

    Raises:
        [`BeyondReader`]: it has another.
    """
    unknown = {child.tag for child in element} - children
    if unknown or (attributes is not None and (unknown := element.attrib.keys() - attributes)):
        raise BeyondReader(f"<{element.tag}> with {', '.join(sorted(unknown))}")


def text_of(element: Element, path: str, default: str | None = None) -> str:
    """
    Reads the text of the first element at a path, without the space around it.

    Raises:
        [`BeyondReader`]: there is none, and no default.
    """
    text = (element.findtext(path) or "").strip() or default
    if text is None:
        raise BeyondReader(f"<{element.tag}> without {path}")
    return text


def whole_number(text: str | None, name: str) -> int:
    """
    Reads a whole number.

    Raises:
        [`BeyondReader`]: it is none.
    """
    try:
        return int(text or "")
    except ValueError:
        raise BeyondReader(f"{name} {text!r}") from None
