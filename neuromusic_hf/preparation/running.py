"""The stages in their order, and what runs them: datatrove's executors, on this machine or on many."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..corpora.names import CorpusName
from ..disk import lock_folder
from .configuration import Preparation, begin_preparation
from .engine import PipelineExecutor, PipelineStep, RayPipelineExecutor, SlurmPipelineExecutor
from .finishing import Finish, is_finished
from .joining import AlignMelodies, DecideSplits, FindCandidates
from .local import LocalExecutor
from .options import EXECUTORS, check_options
from .reading import InspectPieces, ListPieces, ReadPieces, WriteRows
from .writing import WriteCorpus

logger = logging.getLogger(__name__)

KINDS: dict[str, type[PipelineExecutor]] = dict(
    zip(EXECUTORS, (LocalExecutor, SlurmPipelineExecutor, RayPipelineExecutor), strict=True)
)


@dataclass(frozen=True)
class Stage:
    """
    What is done before the next stage begins.

    Args:
        name (`str`): of its logs.
        pipeline (list of [`PipelineStep`]): blocks, each of which takes what the one before yields.
        tasks (`int`): that share it.
    """

    name: str
    pipeline: list[PipelineStep]
    tasks: int


def stages(preparation: Preparation) -> list[Stage]:
    """The stages of a preparation, in their order."""
    tasks = preparation.work.tasks
    found = [
        Stage("list", [ListPieces(preparation)], 1),
        Stage("read", [ReadPieces(preparation), InspectPieces(preparation), WriteRows(preparation)], tasks),
    ]
    if preparation.has_families:
        found.append(Stage("candidates", [FindCandidates(preparation)], 1))
        found.append(Stage("align", [AlignMelodies(preparation)], tasks))
    found.append(Stage("split", [DecideSplits(preparation)], 1))
    found.append(Stage("write", [WriteCorpus(preparation)], tasks))
    if preparation.tokenization is not None:
        from .tokenizing import TokenizeCorpus  # slow to import

        found.append(Stage("tokenize", [TokenizeCorpus(preparation)], tasks))
    return [*found, Stage("finish", [Finish(preparation)], 1)]


def executors(
    preparation: Preparation,
    kind: type[PipelineExecutor] = LocalExecutor,
    *,
    joining: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[PipelineExecutor]:
    """
    Makes an executor of each stage, which depends on the one before: to run the last one runs all that is not done.

    Args:
        preparation ([`Preparation`]): from [`begin_preparation`].
        kind (`type`, *optional*, defaults to [`LocalExecutor`]): `SlurmPipelineExecutor` or
            `RayPipelineExecutor`, or another executor of datatrove that takes `depends`.
        joining (mapping, *optional*): other options of the stages that one task does, such as more memory.
        options: of the executors: `workers=8`; of Slurm `time="24:00:00"`, `partition="cpu"`.

    Example:
    ```py
    >>> preparation = begin_preparation("my_midi", "prepared/my_midi", tasks=64)
    >>> executors(preparation, workers=8)[-1].run()
    ```
    """
    check_options(kind, {**options, **(joining or {})})
    made: list[PipelineExecutor] = []
    for stage in stages(preparation):
        own = {**options, **(joining or {} if stage.tasks == 1 else {})}
        if "workers" in own:
            own["workers"] = min(own["workers"], stage.tasks)
        if issubclass(kind, SlurmPipelineExecutor):
            own.setdefault("job_name", f"{preparation.work.folder.name}-{stage.name}")
        logs = str(preparation.work.logs(stage.name))
        depends = made[-1] if made else None
        made.append(kind(pipeline=stage.pipeline, tasks=stage.tasks, logging_dir=logs, depends=depends, **own))
    return made


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
            As of [`executors`]: `{"workers": 8}`; on this machine a worker for each core if not given.
        joining_options (mapping, *optional*):
            Others, of stages that one task does.
        options:
            Of [`begin_preparation`]: `tasks`, `split_shares`, `tokenization` and more.

    Returns:
        `bool`: whether it is done. Slurm is given its jobs, and this returns before they are.

    Raises:
        `ValueError`: as of [`begin_preparation`]; or a split would be empty.
        `RuntimeError`: a task failed, or another process prepares this folder. What is done stays done.
    """
    if executor not in EXECUTORS:
        raise ValueError(f"executor must be one of {', '.join(EXECUTORS)}, got {executor!r}.")
    if executor == "slurm" and shutil.which("sbatch") is None:
        raise ValueError("Slurm takes jobs by sbatch, which is not on this machine: start this where it is.")
    with lock_folder(output) as folder:
        preparation = begin_preparation(name_or_path, output, data_dir, **options)
        given = {"workers": os.cpu_count() if executor == "local" else -1, **(executor_options or {})}
        made = executors(preparation, KINDS[executor], joining=joining_options, **given)
        made[-1].run()
        if executor == "slurm":
            logger.info("Slurm has the jobs. The corpus is whole when %s is there.", folder / "data")
        elif not is_finished(folder):
            unfinished = [each.logging_dir.path for each in made if each.get_incomplete_ranks(skip_completed=True)]
            where = f"Tasks failed, see the logs in {unfinished[0]}" if unfinished else "Files of it are gone"
            raise RuntimeError(f"'{folder}' is not prepared to its end. {where}. Start it again.")
        return is_finished(folder)
