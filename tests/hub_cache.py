"""The cache of huggingface_hub as it is after files of a repository were downloaded."""

import shutil
from collections.abc import Mapping
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def in_a_hub_cache(
    cache: Path, repository: str, files: Mapping[str, Path], commit: str = COMMIT, branch: str = "main"
) -> None:
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / branch).write_text(commit)
    for name, path in files.items():
        target = folder / "snapshots" / commit / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
