"""
Processes of a launch wait for the long work of one of them, where PyTorch's own operations would give up.

Where all of them merely meet, it is by those: they notice a process that is gone, which the store does not.
"""

import contextlib
import itertools
import socket
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import datasets
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object
from torch.distributed import DistNetworkError

from ..borders.torch import launch_store

PATIENCE = timedelta(days=7)
"""After which a process that waits takes the others for lost."""

PAUSES = (0.01, 1.0)
"""Seconds between two looks: at first, and at most."""

_numbers = itertools.count()


class Meeting:
    """
    Where a process of a launch leaves word for the others; each of them makes its meetings in the same order.

    It goes through the store by which the processes found each other, and knows nothing of `ddp_timeout`.
    """

    def __init__(self):
        self._store = launch_store()
        self._place = f"neuromusic_hf/meeting/{next(_numbers)}"

    def leave(self, name: str, word: str = ""):
        """Leaves word under a name, once."""
        self._store.set(f"{self._place}/{name}", word)

    def await_word(self, name: str) -> str:
        """
        Waits for what is left under a name.

        Raises:
            `RuntimeError`: a process told of its failure, or the main process is gone and the store with it.
            `TimeoutError`: it was not there after a week.
        """
        pause, longest = PAUSES
        end = time.monotonic() + PATIENCE.total_seconds()
        try:
            while not self._store.check([f"{self._place}/{name}"]):
                if self._store.check([f"{self._place}/failure"]):
                    raise RuntimeError(self._store.get(f"{self._place}/failure").decode())
                if time.monotonic() > end:
                    raise TimeoutError(f"Another process of this launch did not answer for {PATIENCE.days} days.")
                time.sleep(pause)
                pause = min(2 * pause, longest)
            return self._store.get(f"{self._place}/{name}").decode()
        except DistNetworkError as error:
            raise RuntimeError(f"The main process of this launch is gone: {error}") from error

    def tell_failure(self, error: BaseException):
        """Ends the waiting of all others with an error that tells of this one, and gives them time to read it."""
        process = f"Process {PartialState().process_index} on {socket.gethostname()}"
        self.leave("failure", f"{process} failed, which worked for others: {type(error).__name__}: {error}")
        time.sleep(2 * PAUSES[-1])  # The store may end with this process.


@contextlib.contextmanager
def main_process_first(cache: str | Path | None = None) -> Iterator[None]:
    """
    Has the main process do the work of the `with` block before all others, which then find it in a cache.

    Of processes that do not see the cache of the main process, as on other machines, the first with each cache works
    for those that share it. All meet before, and none goes on before each of the first is done: they wait for that up
    to a week, and where one fails, they fail too.

    Args:
        cache (`str` or `Path`, *optional*): its folder; that of datasets if not given.

    Raises:
        `RuntimeError`: a process that works for others failed; the message tells its error.
    """
    state = PartialState()
    if state.num_processes == 1:
        yield
        return
    first, meeting = _first_with(Path(cache or datasets.config.HF_DATASETS_CACHE)), Meeting()
    firsts = sorted(set(gather_object([first])))
    if first != state.process_index:
        meeting.await_word(f"done by {first}")
        yield
    else:
        try:
            yield
        except BaseException as error:
            meeting.tell_failure(error)
            raise
        meeting.leave(f"done by {first}")
    for each in firsts:  # PyTorch's operations, which come next, would give up on one that still works
        meeting.await_word(f"done by {each}")


def _first_with(cache: Path) -> int:
    """The first process with the same folder as this one: each lays a file there, and looks for those of others."""
    state = PartialState()
    [token] = broadcast_object_list([uuid.uuid4().hex])
    marks = [cache / f"_process_{number}_{token}" for number in range(state.num_processes)]
    cache.mkdir(parents=True, exist_ok=True)
    marks[state.process_index].touch()
    try:
        state.wait_for_everyone()
        first = next(number for number, mark in enumerate(marks) if mark.exists())
        state.wait_for_everyone()
    finally:
        marks[state.process_index].unlink(missing_ok=True)
    return first
