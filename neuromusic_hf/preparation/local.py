"""Tasks on the processes of this machine."""

from __future__ import annotations

import copy
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext

from datatrove.utils.stats import PipelineStats

from .engine import LocalPipelineExecutor, PipelineStep

logger = logging.getLogger(__name__)


class LocalExecutor(LocalPipelineExecutor):
    """
    datatrove's executor on this machine, whose workers neither outlive it nor are waited for when they are killed.

    The pool of `LocalPipelineExecutor` waits for ever for a task whose worker the system has killed, as it does where
    memory is short. Here that is an error; other tasks are done to their end, and the next start does the rest.

    Args:
        pipeline (list of [`PipelineStep`]): blocks of a stage.
        tasks (`int`, *optional*, defaults to 1): that share it.
        workers (`int`, *optional*, defaults to -1): processes; as many as tasks if -1, and this one alone if 1.
        logging_dir (`str`, *optional*): where tasks that are done are known, and logs.
        depends ([`LocalExecutor`], *optional*): the stage before.
    """

    def __init__(
        self,
        pipeline: list[PipelineStep],
        tasks: int = 1,
        workers: int = -1,
        logging_dir: str | None = None,
        depends: LocalExecutor | None = None,
    ):
        super().__init__(pipeline, tasks, workers, logging_dir, depends)

    def run(self) -> PipelineStats:
        """
        Runs the tasks that are not done, after those of the stages before.

        Raises:
            `RuntimeError`: a worker was killed.
            `Exception`: what a task raised.
        """
        if self.depends is not None:
            self.depends.run()
        alone = copy.copy(self)
        alone.depends = None  # workers need not know
        ranks = self.get_incomplete_ranks()
        if not ranks:
            return PipelineStats()
        self.save_executor_as_json()
        stage = os.path.basename(self.logging_dir.path)
        stats: list[PipelineStats] = []
        for each in self._results(alone, ranks, stage):
            stats.append(each)
            logger.info("%s: %d of %d tasks done", stage, self.tasks - len(ranks) + len(stats), self.tasks)
        return sum(stats, start=PipelineStats())

    def _results(self, alone: LocalExecutor, ranks: list[int], stage: str) -> Iterator[PipelineStats]:
        """What comes of each task, in the order in which they end; with one worker they run in this process."""
        if self.workers == 1:
            yield from (copy.deepcopy(alone).run_task(rank) for rank in ranks)
            return
        workers = min(self.workers, len(ranks))
        with ProcessPoolExecutor(workers, worker_context(), initializer=_end_with_parent) as pool:
            try:
                for task in as_completed([pool.submit(alone.run_task, rank) for rank in ranks]):
                    yield task.result()
            except BrokenProcessPool as error:
                raise RuntimeError(
                    f"A worker of the stage '{stage}' was killed, perhaps for want of memory: take fewer workers, or "
                    f"more tasks. What is done stays done. {error}"
                ) from error
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def run_task(self, rank: int) -> PipelineStats:
        """Runs a task in this process."""
        return self._run_for_rank(rank, local_rank=rank)


def worker_context() -> BaseContext:
    """Starts workers of a process that has imported what they need; Windows has no such thing, and each imports it."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.running"])
    return context


def _end_with_parent() -> None:
    """Ends this worker when the process that started it is gone."""
    parent = multiprocessing.parent_process()

    assert parent is not None

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
