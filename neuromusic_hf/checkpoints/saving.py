"""How checkpoints and bundles come to their place in a run's folder, and leave it: in one step each."""

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from transformers.utils import ADAPTER_CONFIG_NAME, CONFIG_NAME, PROCESSOR_NAME

from ..bundles.files import BESIDE_WEIGHTS, RECIPE_NAME, REPORT_NAMES, RUN_NAME, WEIGHTS_PATTERNS
from ..disk import remove_folder, sync, sync_tree
from .folders import checkpoint_step, find_checkpoints

logger = logging.getLogger(__name__)

PARTIAL_NAME = "_partial"
"""What is being written or deleted. Pushes of a Trainer leave out what begins with an underscore."""

REPLACED_NAME = "_replaced"
"""A checkpoint whose successor of the same step is about to take its place."""

PUSHING_NAME = "_pushing"
"""What of checkpoints is on its way to the Hub."""

EARLIER_NAME = "_earlier"
"""Checkpoints of runs that another run in the same folder took over from."""


def publish_checkpoint(staged: Path, checkpoint: Path, output_dir: Path):
    """Gives a finished checkpoint its name. One that has the name already is kept until then."""
    sync_tree(staged)
    replaced = output_dir / REPLACED_NAME / checkpoint.name
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        replaced.parent.mkdir(exist_ok=True)
        checkpoint.rename(replaced)
    staged.rename(checkpoint)
    sync(checkpoint.parent)
    if replaced.exists():
        discard(replaced, output_dir)
        replaced.parent.rmdir()


def discard(folder: Path, output_dir: Path):
    """Deletes a folder so that half of it is never found under its name."""
    doomed = output_dir / PARTIAL_NAME / f"deleted-{folder.name}"
    doomed.parent.mkdir(exist_ok=True)
    folder.rename(doomed)
    remove_folder(doomed)


def rotate(run_dir: Path, output_dir: Path, limit: int | None, best: str | None):
    """Deletes the oldest checkpoints over the limit, but never the newest nor the best."""
    checkpoints = find_checkpoints(run_dir)
    if not limit or limit < 0:
        return
    protected = {checkpoints[-1]} | ({Path(best)} if best else set())
    spare = [checkpoint for checkpoint in checkpoints if checkpoint not in protected]
    surplus = len(checkpoints) - max(limit, len(protected & set(checkpoints)))
    for checkpoint in spare[: max(0, surplus)]:
        discard(checkpoint, output_dir)


def replace_bundle(staged: Path, folder: Path):
    """
    Moves the files of a bundle over those of an older one, of which nothing stays but what its user added.

    The record of the run goes first and comes last: where it stands, the bundle is whole.
    """
    sync_tree(staged)
    folder.mkdir(parents=True, exist_ok=True)
    new = {path.name for path in staged.iterdir()}
    (folder / RUN_NAME).unlink(missing_ok=True)
    for name in sorted(new, key=lambda name: (name == RUN_NAME, name)):
        os.replace(staged / name, folder / name)
    for path in _replaced(folder):
        if path.name not in new:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    sync(folder)


def refuse_foreign(folder: Path):
    """
    Refuses to put a bundle where files lie that it would delete, and that are no bundle's.

    Raises:
        `ValueError`: naming one of them.
    """
    if any((folder / name).exists() for name in (CONFIG_NAME, ADAPTER_CONFIG_NAME, PROCESSOR_NAME)):
        return
    for path in _replaced(folder):
        raise ValueError(f"{path} is no part of a model, and a run would delete it: take another output_dir.")


def _replaced(folder: Path) -> list[Path]:
    """What of a folder a new bundle stands in place of."""
    patterns = (*WEIGHTS_PATTERNS, *BESIDE_WEIGHTS, *REPORT_NAMES, RECIPE_NAME)
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})


def link_or_copy(path: Path, target: Path):
    """A file under another name, without copying where the file system can do that; the folder is made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)


def tidy(output_dir: Path):
    """Ends what a process that was killed had begun: what was half written goes, what was to be replaced returns."""
    for name in (PARTIAL_NAME, PUSHING_NAME):
        shutil.rmtree(output_dir / name, ignore_errors=True)
    for replaced in find_checkpoints(output_dir / REPLACED_NAME):
        if (output_dir / replaced.name).exists():
            discard(replaced, output_dir)
        else:
            replaced.rename(output_dir / replaced.name)


def set_aside_later(output_dir: Path, checkpoint: Path | None, in_use: Sequence[str] = ()):
    """
    Moves checkpoints out of the way that do not lie behind the run about to begin: `last` would take them for its own.

    Args:
        output_dir (`Path`): The folder of the run.
        checkpoint (`Path`, *optional*): What the run goes on from; it begins anew without.
        in_use (sequence of `str`, *optional*): Names or folders that the run reads from.

    Raises:
        `ValueError`: one of the checkpoints is in use.
    """
    behind = -1
    if checkpoint is not None and checkpoint.resolve().parent == output_dir.resolve():
        behind = checkpoint_step(checkpoint)
    later = [path for path in find_checkpoints(output_dir) if checkpoint_step(path) > behind]
    if not later:
        return
    for path in later:
        if path.resolve() in [Path(name).resolve() for name in in_use]:
            raise ValueError(f"A new run from the weights in {path} needs an output_dir other than {output_dir}.")
    taken = [path.name for path in output_dir.glob(f"{EARLIER_NAME}-*")]
    aside = output_dir / f"{EARLIER_NAME}-{len(taken) + 1}"
    aside.mkdir()
    for path in later:
        path.rename(aside / path.name)
    logger.warning(
        "%s held checkpoints of another run (%s). They are kept in %s; delete them if you do not need them. "
        "--resume_from_checkpoint last goes on with a run.",
        output_dir,
        ", ".join(path.name for path in later),
        aside,
    )
