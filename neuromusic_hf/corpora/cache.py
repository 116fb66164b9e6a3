"""The caches of `datasets`: a damaged one is made anew, and what keeps one from being written is told."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets import Dataset, DatasetInfo
from datasets.exceptions import DatasetGenerationError

logger = logging.getLogger(__name__)

INFO_NAME = datasets.config.DATASET_INFO_FILENAME
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
WRONG_CONTENT = (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError)
"""What reading a damaged file of `datasets` raises."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ENOENT)


class CacheError(OSError):
    """A cache that cannot be written."""


def damage_in(files: Iterable[str | Path]) -> str | None:
    """Says which of these Arrow and JSON files is not whole, and why. Their ends are looked at, not their data."""
    for path in map(Path, files):
        try:
            if path.suffix == ".arrow":
                count_rows(path)
            elif not isinstance(json.loads(path.read_text(encoding="utf-8")), dict):
                raise ValueError("not a JSON object")
        except WRONG_CONTENT as error:
            return f"'{path}' ({error or type(error).__name__})"
    return None


def damage_of_build(folder: Path) -> str | None:
    """Says what of a dataset that `datasets` has built there is not whole; a folder without its JSON is not built."""
    path = folder / INFO_NAME
    if not path.is_file():
        return None
    try:
        info = DatasetInfo.from_directory(str(folder))
        expected = info.splits.total_num_examples
    except WRONG_CONTENT as error:
        return f"'{path}' ({error or type(error).__name__})"
    files = sorted(folder.glob(f"{info.dataset_name}-*.arrow"))
    if (damage := damage_in(files)) is not None:
        return damage
    found = sum(map(count_rows, files))
    return None if found == expected else f"'{folder}' ({found} rows instead of {expected})"


def count_rows(path: str | Path) -> int:
    """
    Counts the rows of an Arrow file.

    Raises:
        `ValueError`: it does not end as such a file does.
        `OSError`: it ends too early.
    """
    with pa.memory_map(str(path)) as file:
        rows = pa.ipc.open_stream(file).read_all().num_rows
        file.seek(max(0, file.size() - len(END_OF_STREAM)))
        if file.read() != END_OF_STREAM:
            raise ValueError("the end of the file is missing")
    return rows


@contextlib.contextmanager
def writing_cache(folder: str | Path) -> Iterator[None]:
    """
    Tells what is wrong with a cache that cannot be written in the `with` block.

    Raises:
        [`CacheError`]: with the folder, the reason and what to do.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, CacheError) or not keeps_from_writing(error, folder):
            raise
        raise CacheError(error.errno, cannot_write(error, folder)) from error


def cannot_write(error: OSError, folder: str | Path) -> str:
    """What is wrong with a cache that cannot be written, and what to do."""
    return (
        f"The cache in '{folder}' cannot be written: {error.strerror}. Free space there or make it "
        "writable, or keep the cache elsewhere: set HF_HOME (or HF_DATASETS_CACHE, or cache_dir) to another folder."
    )


def keeps_from_writing(error: OSError, folder: str | Path) -> bool:
    """Whether this error is about writing there, and not about reading elsewhere."""
    if error.filename is None:
        return error.errno in FULL
    file, folder = (os.path.abspath(os.fsdecode(path)) for path in (error.filename, folder))
    related = file == folder or file.startswith(folder + os.sep) or folder.startswith(file + os.sep)
    return related and error.errno in FULL + FORBIDDEN


class CachedBuilder(datasets.DatasetBuilder):
    """A builder whose damaged cache is made anew, that reads what a read-only one holds, and whose errors tell why."""

    _cache_dir: str

    def __init__(self, cache_dir: str | Path | None = None, **kwargs: Any):
        root = os.path.expanduser(cache_dir or datasets.config.HF_DATASETS_CACHE)
        self._is_read_only = False
        try:
            with writing_cache(root):
                super().__init__(cache_dir, **kwargs)
        except CacheError:
            with tempfile.TemporaryDirectory() as scratch:
                super().__init__(scratch, **kwargs)
                folder = Path(root, os.path.relpath(self._cache_dir, scratch))
            if not (folder / INFO_NAME).is_file() or damage_of_build(folder) is not None:
                raise
            self._cache_dir_root, self._cache_dir, self._output_dir = root, str(folder), str(folder)
            self._is_read_only, self.info = True, self._load_info()

    def download_and_prepare(self, *args: Any, **kwargs: Any) -> None:
        """
        Builds the dataset where it is not cached.

        Raises:
            [`CacheError`]: the cache cannot be written.
        """
        if self._is_read_only:  # datasets would take a lock there
            return
        with writing_cache(self._cache_dir_root):
            super().download_and_prepare(*args, **kwargs)

    def _build_cache_dir(self) -> str:
        """Is called before anything of the cache is read."""
        folder = Path(super()._build_cache_dir())
        if (damage := damage_of_build(folder)) is not None:
            logger.warning("The cache is damaged, and made anew: %s.", damage)
            (folder / INFO_NAME).unlink(missing_ok=True)  # datasets builds what has none
        return str(folder)

    def _prepare_split_single(self, *args: Any, **kwargs: Any) -> Iterator:
        """Runs in each process; only the message of an error comes back from there."""
        try:
            yield from super()._prepare_split_single(*args, **kwargs)
        except DatasetGenerationError as error:
            raise DatasetGenerationError(f"{error}: {self._reason(error.__cause__)}") from error.__cause__

    def _reason(self, cause: BaseException) -> str:
        if isinstance(cause, OSError) and keeps_from_writing(cause, self._cache_dir_root):
            return cannot_write(cause, self._cache_dir_root)
        return f"{type(cause).__name__}: {cause}"


def cached_map(rows: Dataset, function: Callable, fingerprint: str, **options: Any) -> Dataset:
    """
    `rows.map(function)`, where a damaged cache of it is made anew.

    Args:
        rows (`Dataset`): what is mapped.
        function (`Callable`): as of `Dataset.map`.
        fingerprint (`str`): of the result; all that it depends on goes into it.
        options: of `Dataset.map`.

    Raises:
        [`CacheError`]: the cache cannot be written.
    """
    folder = Path(rows.cache_files[0]["filename"]).parent if rows.cache_files else None
    with writing_cache(folder or tempfile.gettempdir()):
        for path in folder.glob(f"cache-{fingerprint}*.arrow") if folder else ():
            if (damage := damage_in([path])) is not None:
                logger.warning("The cache is damaged, and made anew: %s.", damage)
                path.unlink(missing_ok=True)
        return rows.map(function, new_fingerprint=fingerprint, **options)
