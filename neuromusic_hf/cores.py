"""The processor cores that this process may use, and those of them that no other process keeps busy."""

import math
import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

import psutil

CGROUP = Path("/sys/fs/cgroup")
SHORTEST, LONGEST = 0.05, 2.0
"""Seconds between two looks from which a load can be told: clocks of cores tick a hundred times a second."""
UNNOTICED = 0.25
"""Part of a core that others may use, and it counts as free."""


class Look(NamedTuple):
    """What could be seen of this process's cores at one moment, all in seconds but their number."""

    clock: float
    idle: float
    own: float
    cores: int


class CoreMeter:
    """Tells how many cores are free, from what they did since it was last asked, by any thread."""

    def __init__(self):
        self._lock = threading.Lock()
        self._last = Look(-math.inf, 0.0, 0.0, 0)
        self._free = 1

    def free(self) -> int:
        """
        Cores that this process may use and others leave to it, at least 1.

        Where the last answer is older than two seconds, this takes 50 ms to look.
        """
        with self._lock:
            age = time.monotonic() - self._last.clock
            if age < SHORTEST:
                return self._free
            if age > LONGEST:
                self._last = look()
                time.sleep(SHORTEST)
            now = look()
            self._free = max(1, min(usable_cores(), now.cores - taken_cores(self._last, now)))
            self._last = now
            return self._free


def look() -> Look:
    """The clock, how long this process's cores have been idle, and how long this process has computed."""
    own = own_cores()
    times = [core for number, core in enumerate(psutil.cpu_times(percpu=True)) if number in own]
    idle = sum(core.idle + getattr(core, "iowait", 0.0) for core in times)
    return Look(time.monotonic(), idle, time.process_time(), len(times))


def taken_cores(before: Look, now: Look) -> int:
    """Cores that other processes kept busy between two looks."""
    seconds = now.clock - before.clock
    busy = now.cores - (now.idle - before.idle) / seconds
    others = busy - (now.own - before.own) / seconds
    return max(0, math.ceil(others - UNNOTICED))


def usable_cores() -> int:
    """
    Cores that this process may use, at least 1.

    The system may bind it to some of them, a container to their time, and the processes of a launch share those of
    their machine.
    """
    cores = math.ceil(min(len(own_cores()), _quota()))
    processes = os.environ.get("LOCAL_WORLD_SIZE", "")
    return max(1, cores // max(1, int(processes) if processes.isdecimal() else 1))


def own_cores() -> set[int]:
    """Numbers of the cores that the system may run this process on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _quota() -> float:
    """Cores whose time a control group grants, as a container with a limit has it."""
    version_2, version_1 = CGROUP / "cpu.max", CGROUP / "cpu"
    try:
        if version_2.exists():
            granted, period = version_2.read_text().split()
        else:
            granted, period = ((version_1 / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
    except OSError:
        return math.inf
    return math.inf if granted == "max" or float(granted) <= 0 else float(granted) / float(period)
