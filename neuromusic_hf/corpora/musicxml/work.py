"""A compressed MusicXML file (`.mxl`), read as a work of music."""

from __future__ import annotations

import contextlib
import gc
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree
from xml.parsers import expat

from ...music import RefusedFile
from ..sources import UNREADABLE_MEMBER
from .reading import BeyondReader
from .sequencing import midi_of

XML_ENDINGS = (".xml", ".musicxml", ".mxl")
MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Work:
    """
    A work of music.

    Args:
        midi (`bytes`): the MIDI file.
        titles (`tuple[str, ...]`): as the file has them, that of the work before that of the movement.
    """

    midi: bytes
    titles: tuple[str, ...]


def read_work(path: Path) -> Work:
    """
    Reads a compressed MusicXML file.

    Raises:
        [`BeyondReader`]: it cannot be opened, or holds something that may not be read as by music21; the message says
            what.
        [`RefusedFile`]: `too_large` if it unpacks to more than 64 MiB, `unreadable` if it defines entities, which
            may grow without bound, `rights_reserved` if it states the rights of an edition.
    """
    try:
        content = _score(path)
    except RefusedFile:
        raise
    except UNREADABLE_MEMBER as error:
        raise BeyondReader(f"{type(error).__name__}: {error}") from error
    with _no_collection():
        return _read(content)


def _read(content: bytes) -> Work:
    try:
        _refuse_entities(content)
        root = ElementTree.fromstring(content)
    except (SyntaxError, LookupError, ValueError) as error:  # of its XML, of its encoding
        raise BeyondReader(f"{type(error).__name__}: {error}") from error
    refuse_rights(one.text for one in root.iterfind("identification/rights"))
    titles = [root.findtext("work/work-title"), root.findtext("movement-title")]
    return Work(midi_of(root), tuple(title for title in titles if title))


def refuse_rights(texts: Iterable[str | None]) -> None:
    """
    Refuses a work that states rights.

    Args:
        texts (iterable of `str`): what it states, if anything.

    Raises:
        [`RefusedFile`]: it does.
    """
    stated = " ".join(" ".join(text or "" for text in texts).split())
    if stated:
        raise RefusedFile("rights_reserved", f"it states the rights of an edition: {stated}")


def _score(path: Path) -> bytes:
    """The first member that may be a score."""
    with zipfile.ZipFile(path) as archive:
        members = [
            member
            for member in archive.infolist()
            if "META-INF" not in member.filename and PurePosixPath(member.filename).suffix in XML_ENDINGS
        ]
        if not members:
            raise BeyondReader("no score in the archive")
        size = members[0].file_size
        if size > MOST_BYTES:
            raise RefusedFile("too_large", f"{size} bytes unpacked, limit {MOST_BYTES}")
        content = archive.read(members[0])
    return content


class _BegunError(Exception):
    """The first element of a document has begun, before which all entities are defined."""


def _refuse_entities(content: bytes) -> None:
    """
    Reads what stands before the first element, in whatever encoding.

    Raises:
        [`RefusedFile`]: it defines entities.
    """

    def refuse(*_):
        raise RefusedFile("unreadable", "its XML defines entities")

    def stop(*_):
        raise _BegunError

    parser = expat.ParserCreate()
    parser.EntityDeclHandler, parser.StartElementHandler = refuse, stop
    with contextlib.suppress(_BegunError, expat.ExpatError):  # of which the reader of the whole says more
        parser.Parse(content, True)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """
    Keeps the garbage collector still for the time of the `with` block.

    Trees of elements, which have no cycles, make it go over all that the process holds, which takes longer than to
    read them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
