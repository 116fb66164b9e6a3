"""Which files are meant: patterns of paths, as a shell has them."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath


def files_in(folder: str | Path, patterns: Iterable[str]) -> list[str]:
    """The files of a folder that fit a pattern, as [`choose`] has them, relative to it, in order."""
    found = {path for pattern in patterns for path in Path(folder).glob(pattern) if path.is_file()}
    return sorted(path.relative_to(folder).as_posix() for path in found)


def choose(paths: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """Those of paths that fit a pattern, in which `*` stands for part of one name."""
    wanted = [PurePosixPath(pattern).parts for pattern in patterns]
    return [path for path in paths if any(_fits(PurePosixPath(path).parts, parts) for parts in wanted)]


def _fits(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    return len(parts) == len(pattern) and all(map(fnmatchcase, parts, pattern))
