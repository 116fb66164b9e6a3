"""Where `huggingface_hub` puts what it pulls."""

import os
import re
from pathlib import Path

COMMIT = re.compile("[0-9a-f]{40}")


def pulled_from(folder: str | Path) -> tuple[str, str] | None:
    """Hub id and commit of a folder in the cache of `huggingface_hub`; `None` of another."""
    *_, repository, snapshots, commit = ("", "", "", *Path(os.path.abspath(folder)).parts)
    kind, *name = repository.split("--")
    if kind != "models" or not name or snapshots != "snapshots" or not COMMIT.fullmatch(commit):
        return None
    return "/".join(name), commit


def was_pulled(path: str | Path) -> bool:
    """Whether a file lies where `huggingface_hub` put it: in its cache, or in a folder that it downloaded to."""
    path = Path(os.path.abspath(path))
    if any(folder.parent.name == "snapshots" and COMMIT.fullmatch(folder.name) for folder in path.parents):
        return True
    notes = (folder / ".cache/huggingface/download" / path.relative_to(folder) for folder in path.parents)
    return any(note.with_name(f"{note.name}.metadata").is_file() for note in notes)
