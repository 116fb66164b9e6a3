"""A corpus prepared from its first file to the last, by whatever runs the stages."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..cores import usable_cores
from ..corpora.names import CorpusName
from ..disk import lock_folder
from .beginning import begin_preparation, folder_here
from .engine import PipelineExecutor, RayPipelineExecutor, SlurmPipelineExecutor
from .local import LocalExecutor
from .options import EXECUTORS
from .running import executors
from .workplace import is_finished

logger = logging.getLogger(__name__)

EXECUTOR_CLASSES: dict[str, type[PipelineExecutor]] = dict(
    zip(EXECUTORS, (LocalExecutor, SlurmPipelineExecutor, RayPipelineExecutor), strict=True)
)


def executor_class(name: str) -> type[PipelineExecutor]:
    """
    The executor of a name: `"local"`, `"slurm"` or `"ray"`.

    Raises:
        `ValueError`: there is none.
    """
    if name not in EXECUTOR_CLASSES:
        raise ValueError(f"executor must be one of {', '.join(EXECUTORS)}, got {name!r}.")
    return EXECUTOR_CLASSES[name]


def prepare_corpus(
    name_or_path: CorpusName,
    output: str | Path,
    data_dir: str | Path | None = None,
    *,
    executor: str = "local",
    executor_options: Mapping[str, Any] | None = None,
    joining_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> bool:
    """
    Prepares a corpus of any size in tasks, on this machine or on many, and goes on where it was stopped.

    The folder holds what [`load_corpus`] gives of the same source, row by row, as Parquet with the splits in it, and
    loads as a corpus from there or, pushed by [`push_prepared`], from the Hub.

    Args:
        name_or_path (`str`, `Path` or [`MidiCorpusBuilder`] class):
            One corpus that a builder reads, as of [`load_corpus`].
        output (`str` or `Path`):
            Folder that all machines see under this path.
        data_dir (`str` or `Path`, *optional*):
            As of [`load_corpus`].
        executor (`str`, *optional*, defaults to `"local"`):
            `"local"`, `"slurm"` or `"ray"`.
        executor_options (mapping, *optional*):
            As of [`executors`]: `{"workers": 8}`; on this machine a worker for each core that it may use if not given.
        joining_options (mapping, *optional*):
            Others, of stages that one task does.
        options:
            Of [`begin_preparation`]: `tasks`, `split_shares`, `tokenization` and more.

    Returns:
        `bool`: whether it is done. Slurm is given its jobs, and this returns before they are.

    Raises:
        `ValueError`: as of [`begin_preparation`]; or a split would be empty.
        `RuntimeError`: the source or the code changed meanwhile, a task failed, or another process prepares this
            folder. What is done stays done.
    """
    kind = executor_class(executor)
    if executor == "slurm" and shutil.which("sbatch") is None:
        raise ValueError("Slurm takes jobs by sbatch, which is not on this machine: start this where it is.")
    with lock_folder(folder_here(output)) as folder:
        preparation = begin_preparation(name_or_path, output, data_dir, **options)
        given = {"workers": usable_cores() if executor == "local" else -1, **(executor_options or {})}
        made = executors(preparation, kind, joining=joining_options, **given)
        made[-1].run()
        if executor == "slurm":
            logger.info("Slurm has the jobs. The corpus is whole when %s is there.", folder / "data")
        elif not is_finished(folder):
            unfinished = [each.logging_dir.path for each in made if each.get_incomplete_ranks(skip_completed=True)]
            where = f"Tasks failed, see the logs in {unfinished[0]}" if unfinished else "Files of it are gone"
            raise RuntimeError(f"'{folder}' is not prepared to its end. {where}. Start it again.")
        return is_finished(folder)
