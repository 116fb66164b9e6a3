"""Which code a run is made with: the version of this package, and in a checkout its commit."""

import functools
import os
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = __name__.partition(".")[0]
ROOT = Path(__file__).parents[2]
"""The folder that holds the package."""

RUN_FROM = (PACKAGE, "scripts")
"""What of a checkout decides about a run, beside its recipe."""

TIMEOUT_SECONDS = 20


@functools.cache
def code_facts() -> dict[str, str | bool | None]:
    """
    Which code this process runs: read once, and nothing that is of this machine.

    Returns:
        `dict`: `version` of the installed package, `None` where it is not installed; `revision`, the commit of its own
            checkout, and `changed`, whether `neuromusic_hf` or `scripts` differ from that commit, both `None` where it
            does not lie in one of its own, or git cannot tell.
    """
    revision, changed = checkout_facts(ROOT)
    return {"version": _installed_version(), "revision": revision, "changed": changed}


def checkout_facts(root: Path) -> tuple[str | None, bool | None]:
    """
    The commit of a checkout, and whether its code was changed since.

    Args:
        root (`Path`): the top of a checkout. A folder inside another repository, as that of a virtual environment, is
            none.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    if not top or not os.path.samefile(top, root):
        return None, None
    revision = _git(root, "rev-parse", "--verify", "HEAD")
    status = _git(root, "status", "--porcelain", "--", *RUN_FROM)
    return revision, None if status is None else bool(status)


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints; `None` where it fails, or is not there. No repository counts that a variable names."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        ended = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            env=environment | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.strip() if ended.returncode == 0 else None


def _installed_version() -> str | None:
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None
