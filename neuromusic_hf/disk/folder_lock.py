"""One process at a time writes to an output folder."""

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from .main_process import by_main_process
from .output_folder import check_output_folder
from .user_paths import user_path

logger = logging.getLogger(__name__)

LOCK_NAME = "_lock"
"""Pushes of a Trainer leave out what begins with an underscore."""

_WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


@contextlib.contextmanager
def lock_folder(folder: str | Path) -> Iterator[Path]:
    """
    Holds an output folder, which is made where it is not there, against every other process.

    The operating system frees it when the process ends, however it ends. In a launch of several processes the main one
    holds it for all. Where nothing was written in the end, a folder that was made for it goes again.

    Args:
        folder (`str` or `Path`): where only this process is to write.

    Raises:
        `RuntimeError`: another process holds it; the message names the process.
        `ValueError`: it cannot be made or written to.
    """
    folder = user_path(folder)
    is_new = not folder.exists()
    lock = FileLock(folder / LOCK_NAME, timeout=0, fallback_to_soft=False)
    by_main_process(lambda: _acquire(lock, folder))
    try:
        yield folder
    finally:
        if lock.is_locked:
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()
            if is_new:
                with contextlib.suppress(OSError):  # It is not empty.
                    folder.rmdir()


def _acquire(lock: FileLock, folder: Path):
    check_output_folder(folder)
    try:
        lock.acquire()
    except Timeout:
        holder = _text(Path(lock.lock_file)) or "which did not leave its name"
        raise RuntimeError(
            f"{folder} belongs to another process that is running: {holder}. Wait for its end, stop it, or take "
            "another output folder."
        ) from None
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
        logger.warning("%s lies on a file system without locks: start no second process with it.", folder)
        return
    Path(lock.lock_file).write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
