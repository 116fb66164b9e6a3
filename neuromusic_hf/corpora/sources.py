"""The files of a folder, a zip or a tar: listed and read, without ever unpacking to disk."""

from __future__ import annotations

import contextlib
import hashlib
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from ..music import RefusedFile, SanityLimits
from ..music.unwrapping import MIDI_EXTENSIONS, check_size
from .walking import SourceError, link_to_nothing, walk

COMPRESSED_EXTENSIONS = (".gz", ".bz2")
DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)
# ... and what zipfile raises for members it cannot open: encrypted (RuntimeError), unknown compression.
UNREADABLE_MEMBER = (*DAMAGED, RuntimeError, NotImplementedError)


@dataclass(frozen=True)
class Entry:
    """
    One file of a source.

    Args:
        name (`str`): path inside the source, with `/`.
        index (`int`): position in the listing of the source; tells two members of one name apart.
        problem ([`RefusedFile`], *optional*): why there is nothing to read, whatever the name: see [`walk`].
    """

    name: str
    index: int
    problem: RefusedFile | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        problem = None if self.problem is None else [self.problem.reason, self.problem.detail]
        return {"name": self.name, "index": self.index, "problem": problem}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Entry:
        """The inverse of [`to_dict`]."""
        problem = values["problem"]
        return cls(values["name"], values["index"], None if problem is None else RefusedFile(*problem))


def is_archive(path: str | Path) -> bool:
    """Whether the path is a zip or tar file (by content, not by name), be it damaged."""
    try:
        return os.path.isfile(path) and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))
    except DAMAGED:
        return True


def is_midi_name(name: str) -> bool:
    """Whether the file name ends like a MIDI file, compressed by itself or not, in any case."""
    name = name.lower()
    compression = next(filter(name.endswith, COMPRESSED_EXTENSIONS), "")
    return name.removesuffix(compression).endswith(MIDI_EXTENSIONS)


def list_source(path: str | Path) -> list[Entry]:
    """
    Lists all files of a folder (recursive, sorted), zip or tar (in archive order).

    Raises:
        [`SourceError`]: the path does not exist, is neither a folder nor a whole zip or tar, or cannot be listed.
    """
    if os.path.isdir(path):
        found = sorted(walk(path), key=lambda file: file[0])
        return [Entry(name, index, problem) for index, (name, problem) in enumerate(found)]
    with _open(path) as archive:
        return [Entry(member.name, index) for index, member in enumerate(_members(archive)) if not member.is_dir]


def read_source(
    path: str | Path, entries: Iterable[Entry], limits: SanityLimits
) -> Iterator[tuple[Entry, bytes | RefusedFile]]:
    """
    Reads entries, in the order of the listing; the archive is opened once.

    Args:
        path (`str` or `Path`): the folder, zip or tar.
        entries (iterable of [`Entry`]): what [`list_source`] gave, or a part of it.
        limits ([`SanityLimits`]): a file above `max_file_bytes` is refused without being unpacked.

    Yields:
        The entry with its bytes, or with a [`RefusedFile`]: `unsafe_path` (a link, or a member name that is absolute
        or has `..`), `too_large`, `unreadable` (damaged member), `missing`.
    """
    if os.path.isdir(path):
        for entry in entries:
            yield entry, entry.problem or attempt(read_file, os.path.join(path, entry.name), limits)
        return
    wanted = {entry.index: entry for entry in entries}
    with _open(path) as archive:
        for index, member in enumerate(_members(archive)):
            if index in wanted:
                yield wanted.pop(index), attempt(_read_member, member, limits)
            if not wanted:
                return
    for entry in wanted.values():
        yield entry, RefusedFile("missing", "the archive ends before this member")


def read_named(path: str | Path, name: str) -> list[tuple[str, bytes]]:
    """
    Reads every file of this name, in any folder (a metadata file: csv, json).

    Raises:
        [`SourceError`]: one cannot be read.
    """
    found = [entry for entry in list_source(path) if PurePosixPath(entry.name).name == name]
    files = []
    for entry, data in read_source(path, found, SanityLimits()):
        if isinstance(data, RefusedFile):
            raise SourceError(f"Cannot read '{entry.name}' in '{path}': {data}. Copy or download it again.")
        files.append((entry.name, data))
    return files


def source_fingerprint(path: str | Path, is_part: Callable[[str], bool] = lambda name: True) -> str:
    """
    Hashes what tells that a source has changed: names, sizes, times and inodes of its files; of an archive, its own.

    Contents are not read, as a corpus may have hundreds of gigabytes. Links are followed: what counts is the file that
    would be read. The time of a file's last change (ctime) tells of a content that was replaced by one of the same
    size and date (`cp -p`, `rsync -t`, `touch -d`), as no program can set it.

    Args:
        path (`str` or `Path`): the folder or archive.
        is_part (`Callable`, *optional*): whether a file of this name counts, if it is a folder.

    Raises:
        [`SourceError`]: the path does not exist.
    """
    if not os.path.exists(path):
        raise SourceError(f"There is no file or folder at '{path}'.")
    files = sorted(walk(path), key=lambda file: file[0]) if os.path.isdir(path) else [("", None)]
    digest = hashlib.sha256()
    for name, problem in files:
        if is_part(name):
            state = problem or _state(os.path.join(path, name) if name else path)
            digest.update(f"{name}\0{state}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _state(path: str | Path) -> str:
    try:
        status = os.stat(path)
    except OSError as error:
        return f"error {error.errno}"
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


@contextlib.contextmanager
def _open(path: str | Path) -> Iterator[zipfile.ZipFile | tarfile.TarFile]:
    if not os.path.exists(path):
        raise SourceError(f"There is no file or folder at '{path}'.")
    try:
        archive = zipfile.ZipFile(path) if zipfile.is_zipfile(path) else tarfile.open(path)
    except UNREADABLE_MEMBER as error:
        raise SourceError(f"Cannot open '{path}' as a zip or tar: {error}") from error
    try:
        with archive:
            yield archive
    except DAMAGED as error:
        raise SourceError(f"The archive '{path}' is damaged or incomplete: {type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class _Member:
    """
    A member of an archive of any kind.

    Args:
        name (`str`): its path in the archive, as that has it.
        is_dir (`bool`): whether it is a folder.
        size (`int`): in bytes, as the archive says.
        no_file (`str`, *optional*): what it is instead of a file to read.
        open (`Callable`): opens it.
    """

    name: str
    is_dir: bool
    size: int
    no_file: str | None
    open: Callable[[], IO[bytes]]


def _members(archive: zipfile.ZipFile | tarfile.TarFile) -> Iterator[_Member]:
    if isinstance(archive, zipfile.ZipFile):
        for info in archive.infolist():
            is_link = (info.external_attr >> 16) & 0o170000 == 0o120000
            no_file = "not a file but a symbolic link" if is_link else None
            yield _Member(info.filename, info.is_dir(), info.file_size, no_file, partial(archive.open, info))
        return
    for member in archive:
        no_file = None if member.isreg() else f"not a file but a link to '{member.linkname}' or a device"
        extract = cast(Callable[[], IO[bytes]], partial(archive.extractfile, member))
        yield _Member(member.name, member.isdir(), member.size, no_file, extract)


def attempt(read: Callable[..., bytes], *args) -> bytes | RefusedFile:
    """What `read(*args)` gives, or why it cannot."""
    try:
        return read(*args)
    except RefusedFile as refused:
        return refused
    except UNREADABLE_MEMBER as error:
        return RefusedFile("unreadable", f"{type(error).__name__}: {error}")


def read_file(path: str | Path, limits: SanityLimits) -> bytes:
    """
    Reads a file of any kind that a user may name, without waiting for a pipe or reading beyond the limit.

    Raises:
        [`RefusedFile`]: `missing`, `unreadable` (no regular file) or `too_large`.
        `OSError`: the system refuses it.
    """
    if refused := link_to_nothing(path):
        raise refused
    if not os.path.isfile(path):
        raise RefusedFile("missing" if not os.path.exists(path) else "unreadable", "not a regular file")
    check_size(os.path.getsize(path), limits)
    with open(path, "rb") as file:
        return _read_bounded(file, limits)


def _read_member(member: _Member, limits: SanityLimits) -> bytes:
    parts = member.name.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
        raise RefusedFile("unsafe_path", f"the member name '{member.name}' leads out of its folder")
    if member.no_file:
        raise RefusedFile("unsafe_path", member.no_file)
    check_size(member.size, limits)
    with member.open() as file:
        return _read_bounded(file, limits)


def _read_bounded(file: IO[bytes], limits: SanityLimits) -> bytes:
    """The declared size may lie, and a file may grow: never read more than one byte beyond the limit."""
    data = file.read(-1 if limits.max_file_bytes is None else limits.max_file_bytes + 1)
    check_size(len(data), limits)
    return data
