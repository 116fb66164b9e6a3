"""Trackers and renderers whose failures do not end a run: they are told, counted, and at last left out."""

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from .memory import MEMORY_NAME, TrackerMemory
from .sessions import named_publicly

logger = logging.getLogger(__name__)

MOST_IN_A_ROW = 3
"""A tracker that fails so often, and takes nothing in between, is not called any more in this run."""

TRACKERS: set[type[TrainerCallback]] = set(INTEGRATION_TO_CALLBACK.values())
"""Callbacks of trackers: those that transformers knows, and those of [`register_tracker`]."""

EVENTS = {name: function for name, function in vars(TrainerCallback).items() if name.startswith("on_")}


@dataclass
class Failure:
    """
    How something failed in a run.

    Attributes:
        times (`int`): that it failed.
        first (`str`): the class of its first error.
        in_a_row (`int`): times since it last worked.
    """

    times: int
    first: str
    in_a_row: int = 0


class TrackerFailures:
    """What failed in a run without being what the run is for, by name."""

    def __init__(self):
        self.found: dict[str, Failure] = {}
        self._earlier: dict[str, Failure] = {}
        self._passed_over: set[str] = set()

    @contextlib.contextmanager
    def watching(self, name: str) -> Iterator[None]:
        """Goes on where something within fails, which is told the first time, and counted."""
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # libraries exit where nobody has logged in, and those in Rust panic
            self.count(name, type(error).__name__, str(error))

    def count(self, name: str, error: str, detail: str = ""):
        """Counts a failure by the class of its error, and tells it if it is the first one."""
        failure = self.found.setdefault(name, Failure(0, error))
        failure.times += 1
        failure.in_a_row += 1
        if failure.times == 1:
            logger.warning("%s failed, and training goes on: %s", name, ": ".join(filter(None, [error, detail])))

    def worked(self, name: str):
        """It took what it was told."""
        if name in self.found:
            self.found[name].in_a_row = 0

    def leaves_out(self, name: str) -> bool:
        """Whether it failed too often in a row to be called again, which is told the first time that it is not."""
        if name not in self.found or self.found[name].in_a_row < MOST_IN_A_ROW:
            return False
        if name not in self._passed_over:
            logger.warning("%s failed %d times in a row: it is left out from here on.", name, MOST_IN_A_ROW)
            self._passed_over.add(name)
        return True

    def record(self) -> dict[str, dict]:
        """For the record of the run; nothing that an error says is in it, as that may tell of the machine."""
        record = {}
        for name in {**self._earlier, **self.found}:
            failures = [found[name] for found in (self._earlier, self.found) if name in found]
            record[name] = {"times": sum(each.times for each in failures), "first": failures[0].first}
        return record

    def take_up(self, record: Mapping[str, Mapping]):
        """A run goes on of which this was the record when its checkpoint was saved."""
        self._earlier = {name: Failure(each["times"], each["first"]) for name, each in record.items()}


def tracker_name(callback: TrainerCallback) -> str:
    """What the tracker of a callback is called: `wandb` for a `WandbCallback`, or one of its subclasses."""
    known = (name for name, kind in INTEGRATION_TO_CALLBACK.items() if isinstance(callback, kind))
    return next(known, type(callback).__name__.removesuffix("Callback").lower())


def guard_tracker(callback: TrainerCallback, failures: TrackerFailures, memory: TrackerMemory):
    """
    Has the events that a tracker's callback follows go through [`TrackerFailures`].

    What the tracker was told before a run went on is not told again, and nothing that it reads names a folder of this
    machine.
    """
    name = tracker_name(callback)
    for event, ignored in EVENTS.items():
        if getattr(type(callback), event) is not ignored:
            called = getattr(callback, event)
            called = functools.partial(_tell, failures, memory, name, called) if event == "on_log" else called
            setattr(callback, event, functools.partial(_call, failures, name, called))


def is_tracker(callback: TrainerCallback) -> bool:
    """Whether a callback is that of a tracker."""
    return isinstance(callback, tuple(TRACKERS))


def _call(failures: TrackerFailures, name: str, event: Callable, *args, **kwargs):
    if failures.leaves_out(name):
        return None
    with failures.watching(name), named_publicly(kwargs.get("model")):
        return event(*args, **kwargs)


def _tell(
    failures: TrackerFailures,
    memory: TrackerMemory,
    name: str,
    on_log: Callable,
    args: TrainingArguments,
    state: TrainerState,
    control: TrainerControl,
    logs: Mapping[str, float] | None = None,
    **kwargs,
):
    if memory.was_told(name, state.global_step, logs or ()):
        return
    on_log(args, state, control, logs=logs, **kwargs)
    failures.worked(name)
    if state.is_world_process_zero:
        with failures.watching(MEMORY_NAME):
            memory.note(name, state.global_step, logs or ())
