"""The stages in their order, and what runs them: datatrove's executors, on this machine or on many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .configuration import Preparation
from .engine import PipelineExecutor, PipelineStep, SlurmPipelineExecutor
from .finishing import Finish
from .joining import AlignMelodies, DecideSplits, FindCandidates
from .local import LocalExecutor
from .options import check_options
from .reading import InspectPieces, ListPieces, ReadPieces, WriteRows
from .writing import WriteCorpus


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
        if issubclass(kind, SlurmPipelineExecutor):
            own.setdefault("job_name", f"{preparation.work.folder.name}-{stage.name}")
        logs = str(preparation.work.logs(stage.name))
        depends = made[-1] if made else None
        made.append(kind(pipeline=stage.pipeline, tasks=stage.tasks, logging_dir=logs, depends=depends, **own))
    return made
