"""A compressed MusicXML file (`.mxl`), opened."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ..sources import UNREADABLE_MEMBER
from .reading import BeyondReader

XML_ENDINGS = (".xml", ".musicxml", ".mxl")
MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Work:
    """
    A work of music.

    Args:
        root (`Element`): its `score-partwise`.
        titles (`tuple[str, ...]`): as the file has them, that of the work before that of the movement.
    """

    root: Element
    titles: tuple[str, ...]


def open_work(path: Path) -> Work:
    """
    Opens a compressed MusicXML file.

    Raises:
        [`BeyondReader`]: it cannot be opened, unpacks to more than 64 MiB, or is no score in parts.
    """
    try:
        root = ElementTree.fromstring(_score(path))
    except (*UNREADABLE_MEMBER, SyntaxError, LookupError, ValueError) as error:
        raise BeyondReader(f"{type(error).__name__}: {error}") from error
    if root.tag != "score-partwise":
        raise BeyondReader(f"<{root.tag}>")
    titles = (root.findtext("work/work-title"), root.findtext("movement-title"))
    return Work(root, tuple(title for title in titles if title))


def _score(path: Path) -> bytes:
    """The first member that may be a score; entities, which may grow without bound, are for others to read."""
    with zipfile.ZipFile(path) as archive:
        members = [
            member
            for member in archive.infolist()
            if "META-INF" not in member.filename and PurePosixPath(member.filename).suffix in XML_ENDINGS
        ]
        if not members or members[0].file_size > MOST_BYTES:
            raise BeyondReader(f"{members[0].file_size} bytes unpacked" if members else "no score in the archive")
        content = archive.read(members[0])
    if b"<!ENTITY" in content:
        raise BeyondReader("an <!ENTITY>")
    return content
