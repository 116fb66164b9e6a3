"""Pictures and sound of a piece, which are not what a run is for: one that fails is left out, and told."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def rendering(kind: str, path: Path, files: dict[str, str], failed: dict[str, str]) -> Iterator[Path]:
    """
    Notes the name of a file that is rendered within, or where that fails the class of the error; no part of it stays.

    Args:
        kind (`str`): of the file, such as `"picture"`.
        path (`Path`): where it is written.
        files (`dict[str, str]`): names of files, by kind.
        failed (`dict[str, str]`): classes of errors, by kind.
    """
    try:
        yield path
    except Exception as error:
        logger.warning("%s is left out, as it cannot be rendered: %s: %s", path.name, type(error).__name__, error)
        path.unlink(missing_ok=True)
        failed[kind] = type(error).__name__
    else:
        files[kind] = path.name
