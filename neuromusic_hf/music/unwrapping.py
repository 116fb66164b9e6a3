"""The standard MIDI file inside what it came in."""

from __future__ import annotations

import bz2
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from typing import IO

from .limits import SanityLimits, exceeds
from .mends import Mends
from .refusals import RefusedFile

MIDI_EXTENSIONS = (".mid", ".midi", ".kar", ".rmi", ".smf", ".midi2")
HEADER = b"MThd\x00\x00\x00\x06"
ZIP = b"PK\x03\x04"
Opened = io.BufferedIOBase | IO[bytes]
COMPRESSED: dict[bytes, tuple[str, Callable[[IO[bytes]], Opened]]] = {
    b"\x1f\x8b": ("gzip", lambda file: gzip.GzipFile(fileobj=file)),
    b"BZh": ("bzip2", bz2.BZ2File),
}
DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError)
"""What they raise: RuntimeError of an encrypted zip, NotImplementedError of an unknown method."""
SIGNATURES = (
    (b"\x00\x05\x16\x07", "an AppleDouble file (macOS resource fork)"),
    (b"SMF2CLIP", "a MIDI 2.0 clip file"),
    (b"Rar!", "a RAR archive"),
    (b"CTMF", "a Creative CMF file"),
    (b"ID3", "an MP3 file"),
    (b"fLaC", "a FLAC file"),
    (b"OggS", "an Ogg file"),
    (b"FORM", "an IFF file"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a RIFF file of another kind"),
)


def unwrap(data: bytes, mends: Mends, limits: SanityLimits) -> bytes:
    """
    Gives the standard MIDI file, from its header on.

    Args:
        data (`bytes`): it, or a RIFF (`.rmi`), zip, gzip or bzip2 file around it, or other bytes before it.
        mends ([`Mends`]): counts what was around it (RIFF is a standard, and not counted).
        limits ([`SanityLimits`]): of which `max_file_bytes` holds for what is unpacked, too.

    Raises:
        [`RefusedFile`]: `empty_file`, `too_large`, `several_files`, `not_midi`, or `unreadable` if an archive is
            damaged.
    """
    if not data:
        raise RefusedFile("empty_file", "0 bytes")
    check_size(len(data), limits)
    if data.startswith(b"MThd"):
        return data
    if data.startswith(b"RIFF"):
        return _from_riff(data, mends)
    for signature, (name, open_file) in COMPRESSED.items():
        if data.startswith(signature):
            mends.damage("compressed", "not_midi", f"a {name} file of {len(data)} bytes is unpacked")
            return _from_header(_read_bounded(name, limits, open_file, io.BytesIO(data)), mends)
    if data.startswith(ZIP):
        mends.damage("compressed", "not_midi", f"a zip archive of {len(data)} bytes is unpacked")
        return _from_header(_read_bounded("zip", limits, _only_member, io.BytesIO(data)), mends)
    return _from_header(data, mends)


def check_size(size: int, limits: SanityLimits) -> None:
    """Raises `RefusedFile("too_large")` if a file of `size` bytes is above the limit."""
    if exceeds(size, limits.max_file_bytes):
        raise RefusedFile("too_large", f"{size} bytes, limit {limits.max_file_bytes}")


def _from_riff(data: bytes, mends: Mends) -> bytes:
    """What its chunk `data` holds; in a RIFF file with wrong lengths, what begins with a header."""
    position = 12 if data[8:12] == b"RMID" else len(data)
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        content = data[position + 8 : position + 8 + size]
        if data[position : position + 4] == b"data" and content.startswith(b"MThd"):
            return content
        position += 8 + size + size % 2
    return _from_header(data, mends)


def _from_header(data: bytes, mends: Mends) -> bytes:
    if data.startswith(b"MThd"):
        return data
    start = data.find(HEADER)
    if start < 0 or b"MTrk" not in data[start:]:
        raise RefusedFile("not_midi", f"starts with {data[:8]!r}, not 'MThd': {_looks_like(data)}")
    mends.damage(
        "junk_before_header", "not_midi", f"{start} bytes before the header, which start with {data[:8]!r}", start
    )
    return data[start:]


def _only_member(file: IO[bytes]) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    members = [member for member in archive.infolist() if not member.is_dir()]
    tunes = [member for member in members if member.filename.lower().endswith(MIDI_EXTENSIONS)] or members
    if len(tunes) != 1:
        raise RefusedFile("several_files", f"a zip archive of {len(tunes)} files: unpack it")
    if tunes[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others take memory as a file says
        raise NotImplementedError(f"compression method {tunes[0].compress_type}")
    return archive.open(tunes[0])


def _read_bounded(name: str, limits: SanityLimits, open_file: Callable[[IO[bytes]], Opened], data: IO[bytes]) -> bytes:
    """Never more than one byte beyond the limit, whatever a file says of its size."""
    try:
        with open_file(data) as file:
            content = file.read(-1 if limits.max_file_bytes is None else limits.max_file_bytes + 1)
    except RefusedFile:
        raise
    except DAMAGED as error:
        raise RefusedFile("unreadable", f"a {name} file that cannot be unpacked: {error}") from error
    check_size(len(content), limits)
    return content


def _looks_like(data: bytes) -> str:
    head = data[:512]
    for signature, name in SIGNATURES:
        if head.startswith(signature):
            return f"looks like {name}"
    if not any(head):
        return "looks like zero bytes"
    if b"<html" in head.lower() or b"<!doctype" in head.lower():
        return "looks like a web page saved as MIDI"
    printable = all(byte in b"\t\r\n\x0c" or 32 <= byte for byte in head)
    if printable and sum(byte < 128 for byte in head) > 0.7 * len(head):
        return "looks like text saved as MIDI"
    return "looks like no known format"
