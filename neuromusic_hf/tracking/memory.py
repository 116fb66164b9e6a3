"""What the trackers of a run were told already: a run that goes on after it was killed does not tell it twice."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..disk import read_json, write_json

MEMORY_NAME = "trackers.json"
"""In the folder of a run."""

ID_BYTES = 4


@dataclass
class Told:
    """
    How far a tracker was told of a run.

    Attributes:
        step (`int`): optimizer step of the last thing that it was told.
        names (`list[str]`): all that it was told of that step.
    """

    step: int
    names: list[str]


@dataclass
class Memory:
    """
    What `trackers.json` holds.

    Attributes:
        id (`str`): of the run, for trackers that know runs by one: a run that begins anew in a folder has another.
        told (`dict[str, Told]`): how far, by the names of trackers.
    """

    id: str = field(default_factory=lambda: secrets.token_hex(ID_BYTES))
    told: dict[str, Told] = field(default_factory=dict)


class TrackerMemory:
    """
    Remembers how far each tracker of a run was told, in the folder of the run.

    A run that was killed goes on from its last checkpoint, and comes again to steps that trackers know: to the same
    values, so that nothing is lost where they are not told again. Only the main process asks and notes.
    """

    def __init__(self):
        self.path: Path | None = None
        self.memory = Memory()
        self.earlier: dict[str, Told] = {}

    def begin(self, folder: str | Path, *, goes_on: bool):
        """
        A training begins.

        Args:
            folder (`str` or `Path`): of the run.
            goes_on (`bool`): whether from a checkpoint in this folder; else trackers know nothing of it.

        Raises:
            `ValueError`: what is remembered is damaged.
        """
        self.path = Path(folder, MEMORY_NAME)
        self.memory = Memory()
        if goes_on and self.path.exists():
            remedy = "Delete it, and trackers are told again from the checkpoint on."
            self.memory = read_json(self.path, Memory, "does not hold what trackers were told", remedy)
        self.earlier = dict(self.memory.told)

    def knows(self, tracker: str) -> bool:
        """Whether a tracker was told of this run: before it went on, or before the tracker ended with the training."""
        return tracker in self.memory.told

    def was_told(self, tracker: str, step: int, names: Iterable[str]) -> bool:
        """Whether a tracker was told all of this before the run went on."""
        told = self.earlier.get(tracker)
        return told is not None and (step < told.step or (step == told.step and set(names) <= set(told.names)))

    def note(self, tracker: str, step: int, names: Iterable[str]):
        """Remembers that a tracker was told this, which lies behind nothing that it was told before."""
        told = self.memory.told.get(tracker)
        if told is not None and step < told.step:
            return
        known = told.names if told is not None and told.step == step else []
        self.memory.told[tracker] = Told(step, sorted({*known, *names}))
        if self.path is not None:
            write_json(self.path, self.memory)
