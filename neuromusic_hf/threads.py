"""
How many threads PyTorch computes with on a CPU, and how they wait for each other.

They meet at the end of every operation, a hundred times in a decoding step, and OpenMP's threads spin while they wait.
On cores of their own that is fastest. Where another process wants one of the cores, the thread there has used up its
share of it by spinning, and at each meeting all wait for milliseconds until it is its turn again. So decoding takes no
more threads than there are free cores, and looks again while it goes on. What cores do is told by two looks some time
apart: between calls a watch goes on looking, so that a call has its answer at once. Training, whose numbers must not
change with what else the machine does, keeps its threads; there they sleep while they wait, which its long operations
hardly feel.

Scoring computes nothing in PyTorch: its processes, as many as there are cores, never wait for each other.

What the user said is the most there is: `OMP_NUM_THREADS`, `torch.set_num_threads`, the options of a launcher. With
`OMP_DYNAMIC=false` it is what there is.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .cores import CoreMeter, usable_cores

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

WAITING_PASSIVELY = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}
"""Variables of OpenMP, and of GNU's own: a thread that waits spins for some microseconds, and then sleeps."""
LEAST_SHARED = 5_000_000
"""Products in a step (weights times rows) below which a second thread gains nothing."""
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_BETWEEN_GLANCES = 0.5
"""Those of the watch: what began less than that before a call is seen at its beginning."""
SECONDS_WATCHED = 300.0
"""After a call: the first one of a process, and one after a longer pause, take 50 ms to look."""


class Watch:
    """
    Keeps the answer of a meter new, in a thread of its own, for some time after it was last asked to.

    Args:
        meter ([`CoreMeter`]): which.
    """

    def __init__(self, meter: CoreMeter):
        self._meter, self._until = meter, 0.0
        self._thread: threading.Thread | None = None

    def go_on(self):
        """Watches from now on, or longer; a process that was forked begins anew."""
        self._until = time.monotonic() + SECONDS_WATCHED
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._look, name="neuromusic_hf watch of cores", daemon=True)
            self._thread.start()

    def _look(self):
        while time.monotonic() < self._until:
            time.sleep(SECONDS_BETWEEN_GLANCES)
            self._meter.free()


_meter = CoreMeter()
_watch = Watch(_meter)
_calls: list[StepThreads] = []
"""Those that run, in any thread."""
_calls_lock = threading.Lock()
_told = ""


def wait_passively():
    """
    Has threads of OpenMP sleep while they wait for each other, unless the user said how they wait.

    It is read once, when PyTorch is imported: call this before. It is for training: decoding has too many meetings.
    """
    if not WAITING_PASSIVELY.keys() & os.environ.keys():
        os.environ.update(WAITING_PASSIVELY)


class StepThreads:
    """
    The threads of a call that runs a model step by step; those of a model on a GPU are let be.

    Args:
        model (`torch.nn.Module`): of the steps.
        rows (`int`): of a step.
    """

    def __init__(self, model: torch.nn.Module, rows: int):
        parameters = list(model.parameters())
        is_on_cpu = all(parameter.device.type == "cpu" for parameter in parameters)
        self.may_choose = is_on_cpu and os.environ.get("OMP_DYNAMIC", "").strip().lower() != "false"
        self.is_small = rows * sum(parameter.numel() for parameter in parameters) < LEAST_SHARED
        self.found = self.number = 0
        self._most = 1
        self._looked = 0.0

    def call(self, function: Callable, /, **arguments):
        """
        Calls a function with as many threads as serve it, and leaves PyTorch those that it had.

        Args:
            function (`Callable`): what to call. It calls `follow` between steps.
            arguments: of the function.

        Returns:
            What the function returns.
        """
        if not self.may_choose:
            return function(**arguments)
        try:
            self._begin()
            return function(**arguments)
        finally:
            self._end()

    def follow(self):
        """Takes fewer threads where cores were taken since the last look, and more where they became free."""
        if self._most > 1 and time.monotonic() - self._looked > SECONDS_BETWEEN_LOOKS:
            self._take(min(self._most, _meter.free()))

    def _begin(self):
        with _calls_lock:
            found = _threads()
            # A thread that is new to PyTorch has the number that a call in another one has set meanwhile.
            self.found = next((call.found for call in _calls if call.number == found), found)
            _calls.append(self)
        self._most = 1 if self.is_small else min(self.found, usable_cores())
        if self._most == 1:
            self._take(1)
        else:
            self._take(min(self._most, _meter.free()))
            _watch.go_on()

    def _take(self, number: int):
        self._looked = time.monotonic()
        if number != self.number:
            self.number = number
            _set_threads(number)
            self._tell()

    def _tell(self):
        global _told
        told = f"PyTorch computes with {self.number} of {self.found} threads{self._reason()}."
        if told != _told and (_told or self.number < self.found):
            logger.info("%s", told)
            _told = told

    def _reason(self) -> str:
        if self.number == self.found:
            return ""
        if self.is_small:
            return ", as the steps are small"
        return ", as other work takes cores" if self.number < self._most else ", as this process has no more cores"

    def _end(self):
        with _calls_lock:
            _calls[:] = [call for call in _calls if call is not self]
            if self.found:
                _set_threads(self.found)
        if self._most > 1:
            _watch.go_on()


def _threads() -> int:
    import torch  # not before a script has said how threads wait

    return torch.get_num_threads()


def _set_threads(number: int):
    """Where there are as many already, what oneDNN has made for them stays."""
    import torch

    if number != torch.get_num_threads():
        torch.set_num_threads(number)


def limit_threads():
    """Has PyTorch take no more threads than this process has cores, from now on; as a training run begins."""
    found, most = _threads(), usable_cores()
    if found > most:
        logger.info("PyTorch computes with %d threads, not %d: this process has no more cores.", most, found)
        _set_threads(most)


def threads_in_force() -> dict[str, int | str]:
    """How many threads PyTorch computes with, and how they wait, as far as anybody said it."""
    return {"cpu_threads": _threads(), "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "not set")}
