"""Processes of a launch wait for each other's long work, where PyTorch's own operations would give up."""

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
from torch.distributed import DistNetworkError

from ..borders.torch import launch_store

PATIENCE = timedelta(days=7)
"""After which a process that waits takes the others for lost."""

PAUSES = (0.01, 1.0)
"""Seconds between two looks: at first, and at most."""

_numbers = itertools.count()


class Meeting:
    """
    Where the processes of a launch leave word for each other; each of them makes its meetings in the same order.

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
            `RuntimeError`: a process told of its failure, or is gone and the store with it.
            `TimeoutError`: it was not there after a week.
        """
        self._wait_until(lambda: self._store.check([f"{self._place}/{name}"]))
        return self._store.get(f"{self._place}/{name}").decode()

    def arrive(self, name: str):
        """Counts this process among those that have come to a place."""
        self._store.add(f"{self._place}/{name}", 1)

    def await_arrivals(self, name: str, number: int):
        """Waits for so many to come to a place; raises as [`await_word`]."""
        self._wait_until(lambda: self._store.add(f"{self._place}/{name}", 0) >= number)

    def tell_failure(self, error: BaseException):
        """Ends the waiting of all others with an error that tells of this one, and gives them time to read it."""
        process = f"Process {PartialState().process_index} on {socket.gethostname()}"
        self.leave("failure", f"{process} failed, which worked for this one: {type(error).__name__}: {error}")
        time.sleep(2 * PAUSES[-1])  # The store may end with this process.

    def _wait_until(self, is_so):
        pause, longest = PAUSES
        end = time.monotonic() + PATIENCE.total_seconds()
        try:
            while not is_so():
                if self._store.check([f"{self._place}/failure"]):
                    raise RuntimeError(self._store.get(f"{self._place}/failure").decode())
                if time.monotonic() > end:
                    raise TimeoutError(f"Another process of this launch did not answer for {PATIENCE.days} days.")
                time.sleep(pause)
                pause = min(2 * pause, longest)
        except DistNetworkError as error:
            raise RuntimeError(f"The main process of this launch is gone: {error}") from error


def wait_for_all():
    """Waits until each process of the launch has come here, up to a week."""
    state = PartialState()
    if state.num_processes > 1:
        meeting = Meeting()
        meeting.arrive("all")
        meeting.await_arrivals("all", state.num_processes)


@contextlib.contextmanager
def main_process_first(cache: str | Path | None = None) -> Iterator[None]:
    """
    Has the main process do the work of the `with` block before all others, which then find it in a cache.

    On machines that do not see the cache of the main process, the first process of each works for those of its own.
    The others wait up to a week; where the process that they wait for fails, they fail with it.

    Args:
        cache (`str` or `Path`, *optional*): its folder; that of datasets if not given.

    Raises:
        `RuntimeError`: the process that works for this one failed; the message tells its error.
    """
    state = PartialState()
    if state.num_processes == 1:
        yield
        return
    meeting, cache = Meeting(), Path(cache or datasets.config.HF_DATASETS_CACHE)
    with _telling(meeting):
        marker = _mark(meeting, cache) if state.is_main_process else None
    sees_main = state.is_main_process or (cache / meeting.await_word("marker")).exists()
    meeting.arrive("looked")
    place = "main" if sees_main else socket.gethostname()
    if state.is_main_process or (state.is_local_main_process and not sees_main):
        with _telling(meeting):
            yield
        meeting.leave(place)
    else:
        meeting.await_word(place)
        yield
    if marker is not None:
        meeting.await_arrivals("looked", state.num_processes)
        marker.unlink(missing_ok=True)


def _mark(meeting: Meeting, cache: Path) -> Path:
    """Lays a file into the cache, by which others see whether it is theirs too."""
    cache.mkdir(parents=True, exist_ok=True)
    marker = cache / f"_main_process_{uuid.uuid4().hex}"
    marker.touch()
    meeting.leave("marker", marker.name)
    return marker


@contextlib.contextmanager
def _telling(meeting: Meeting) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        meeting.tell_failure(error)
        raise
