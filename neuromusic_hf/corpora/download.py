"""A file is downloaded once: resumed where it broke off, checked by SHA-256."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from pathlib import Path

import datasets
from tqdm.auto import tqdm

from ..disk import hash_files
from .cache import keeps_from_writing, writing_cache

logger = datasets.utils.logging.get_logger(__name__)
CHUNK = 1 << 20


class DownloadError(OSError):
    """A download that did not arrive, or arrived as something else."""


def fetch(url: str, target: str | Path, sha256: str, attempts: int = 3, timeout: float = 60.0) -> Path:
    """
    Downloads a file, unless it is there already.

    What has arrived is kept in `<target>.part`; the next attempt, in this call or a later one, goes on from there with
    an HTTP Range request.

    Args:
        url (`str`):
            Where the file is.
        target (`str` or `Path`):
            Where it goes. An existing file with the right checksum is used as it is.
        sha256 (`str`):
            Checksum the file must have, in hexadecimal.
        attempts (`int`, *optional*, defaults to 3):
            Times that a connection is tried in all.
        timeout (`float`, *optional*, defaults to 60):
            Seconds without data after which a connection counts as broken.

    Returns:
        `Path`: the target.

    Raises:
        [`DownloadError`]: the server cannot be reached, or the checksum differs.
        [`CacheError`]: the file cannot be written.
    """
    target = Path(target)
    if target.is_file() and hash_files([target]) == sha256:
        return target
    with writing_cache(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        return _fetch(url, target, sha256, attempts, timeout)


def _fetch(url: str, target: Path, sha256: str, attempts: int, timeout: float) -> Path:
    part = target.with_name(target.name + ".part")
    for attempt in range(1, attempts + 1):
        try:
            _receive(url, part, timeout)
            break
        except (OSError, urllib.error.URLError) as error:
            if keeps_from_writing(error, target.parent):
                raise
            if attempt == attempts:
                raise DownloadError(
                    f"Could not download {url} after {attempts} attempts: {error}. What has arrived is kept in "
                    f"{part}; run again to go on from there, or pass data_dir with a copy of the data."
                ) from error
            logger.warning(f"Download of {url} broke off ({error}); going on, attempt {attempt + 1} of {attempts}.")
    found = hash_files([part])
    if found != sha256:
        part.unlink()
        raise DownloadError(
            f"The file from {url} has SHA-256 {found}, expected {sha256}. It was deleted; run again to "
            "download it anew."
        )
    os.replace(part, target)
    return target


def _receive(url: str, part: Path, timeout: float) -> None:
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416 and start:  # nothing is left to send: the checksum decides
            return
        raise
    with response:
        resumed = response.status == 206
        start = start if resumed else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=f"Downloading {part.stem}")
        with bar, open(part, "ab" if resumed else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and part.stat().st_size < total:
        raise DownloadError(f"the connection ended at {part.stat().st_size} of {total} bytes")
