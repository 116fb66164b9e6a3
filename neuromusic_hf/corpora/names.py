"""Names of corpora as people write them: several joined with `+`, paths that begin with `~`."""

from __future__ import annotations

import os


def split_names(text: str) -> list[str]:
    """
    Split corpora that are joined with `+` (`"bach+folk"`).

    A path that exists is one corpus, whatever is in its name, and the longest one wins: with a folder `my+midi` there,
    `"bach+my+midi"` is `bach` and that folder.

    Args:
        text (`str`): one name, or several joined.
    """
    parts, names = text.split("+"), []
    while parts:
        lengths = range(len(parts), 1, -1)
        taken = next((count for count in lengths if _exists("+".join(parts[:count]).strip())), 1)
        names.append("+".join(parts[:taken]).strip())
        del parts[:taken]
    return names


def _exists(path: str) -> bool:
    return os.path.exists(os.path.expanduser(path))
