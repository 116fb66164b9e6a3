"""A signal asks a run to stop: it finishes the step, saves, and ends."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator

import torch
from accelerate import Accelerator

logger = logging.getLogger(__name__)

SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGUSR1") if hasattr(signal, name)]
"""What schedulers of clusters send before they kill, and Ctrl-C."""

ECHO_SECONDS = 2.0
"""Within this time a signal that comes again is the same one, handed on by a launcher."""


class EvaluationStopped(Exception):
    """An evaluation was broken off, as the run is to stop."""


class StopRequest:
    """
    Whether a run was asked to stop, by SIGTERM, SIGINT or SIGUSR1.

    transformers' `enable_jit_checkpoint` is not used: it waits for three seconds, knows SIGTERM alone, saves in the
    middle of a step, and each process of a distributed run on its own.

    Attributes:
        signal (`int`): The number of the signal; 0 before one came.
    """

    def __init__(self):
        self.signal: int = 0
        self._asked_at = 0.0
        self._launcher = os.getppid() if "ACCELERATE_MIXED_PRECISION" in os.environ else None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Notes a first signal, and leaves a second one to do what it would without us: to kill the process."""
        here = threading.current_thread() is threading.main_thread()
        before = {number: signal.getsignal(number) for number in SIGNALS if here}
        heard = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
        for number in heard:
            signal.signal(number, lambda number, frame: self._hear(number, before))
        try:
            yield
        finally:
            for number in heard:
                signal.signal(number, before[number])

    def _hear(self, number: int, before: dict):
        if not self.signal:
            self.signal, self._asked_at = number, time.monotonic()
            logger.warning("%s: the run stops after this step.", signal.Signals(number).name)
        elif time.monotonic() - self._asked_at > ECHO_SECONDS:
            signal.signal(number, before[number])
            signal.raise_signal(number)

    def agreed(self, accelerator: Accelerator) -> bool:
        """Whether any process of the run was asked to stop. All of them call this at the same moment."""
        if self._launcher is not None and os.getppid() != self._launcher:
            self.signal = self.signal or signal.SIGTERM  # `accelerate launch` was killed, and hands nothing on.
        if accelerator.num_processes == 1:
            return bool(self.signal)
        asked = torch.tensor([int(self.signal)], device=accelerator.device)
        agreed = int(accelerator.gather(asked).max())
        self.signal = self.signal or agreed  # one that came while they asked each other is for the next time
        return bool(agreed)
