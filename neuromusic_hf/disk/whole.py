"""Files and folders that are whole or not there, whenever the process or the machine stops."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

MIB = 2**20


def write_file(path: Path, content: bytes):
    """
    Writes a file, all of it: symusic's own `dump_midi` says nothing where the disk is full.

    Raises:
        `OSError`: it cannot be written; the path and the reason are told.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_whole(path: Path, text: str):
    """Writes a text file in one step: whoever looks finds nothing, the old text, or all of the new."""
    with whole_file(path) as partial:
        write_file(partial, text.encode("utf-8"))


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """
    A name to write a file under, which gets its own when the `with` block ends, and goes where that fails.

    Whoever looks finds nothing, the old file, or all of the new. Processes of several machines may write the same one.
    """
    partial = path.with_name(f"_{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        yield partial
        sync(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def staged_folder(staging: Path, target: Path, remedy: str = "") -> Iterator[Path]:
    """
    A folder to write to before its files go where they belong.

    It is removed in the end, whatever happens, and the folder it lies in if nothing else does.

    Args:
        staging (`Path`): on the file system of `target`.
        target (`Path`): where the files will go, for the message.
        remedy (`str`, *optional*): what to do where they cannot be written.

    Raises:
        `OSError`: not everything could be written; the message names `target`, and the space that is left.
    """
    staging.mkdir(parents=True, exist_ok=True)
    try:
        yield staging
    # Libraries say that a disk is full with errors of every kind.
    except Exception as error:
        written = size_in_mib(staging)
        shutil.rmtree(staging, ignore_errors=True)
        free = shutil.disk_usage(target.parent).free / MIB
        raise OSError(
            f"{target} could not be saved: {error} ({written:.1f} MiB of it were written and are removed again, which "
            f"leaves {free:.1f} MiB of the disk free.) {remedy}"
        ) from error
    finally:
        remove_folder(staging)


def size_in_mib(folder: Path) -> float:
    """Of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MIB


def remove_folder(folder: Path):
    """Deletes a folder, and the one it lies in if that is empty then."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


def sync_tree(folder: Path):
    """Has the operating system write a folder and all in it to the disk, so that a power failure leaves it whole."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def sync(path: Path):
    """Has the operating system write a file, or the names in a folder, to the disk."""
    with contextlib.suppress(PermissionError):  # Windows opens no folders.
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
