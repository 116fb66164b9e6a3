"""What the benchmarks share: fresh processes with their memory watched, facts of the machine, result files."""

import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path, PurePath

import psutil
import torch

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "transformers", "accelerate", "datasets", "tokenizers", "miditok", "symusic")
POLL_SECONDS = 0.1
MIB = 2**20


@dataclass(frozen=True)
class FreshRun:
    """
    One measured process.

    Args:
        result (`dict`): what the task returned.
        seconds (`float`): from launch to exit, imports and waiting for its children included.
        peak_memory_mib (`list[float]`): peak resident memory of the process and of each descendant, largest first, in
            MiB. Pages that processes share count in each of them.
    """

    result: dict
    seconds: float
    peak_memory_mib: list[float]


class Stopwatch:
    """Takes wall seconds, and processor seconds of this process and of its children that have ended."""

    def __init__(self):
        self._last = self._now()

    def lap(self) -> dict[str, float]:
        """`seconds` and `cpu_seconds` since the last lap, or the start."""
        before, self._last = self._last, self._now()
        return {"seconds": self._last[0] - before[0], "cpu_seconds": self._last[1] - before[1]}

    def _now(self) -> tuple[float, float]:
        return time.perf_counter(), sum(os.times()[:4])


def run_fresh(script: str | Path, task: dict, environment: dict[str, str]) -> FreshRun:
    """
    Runs a task of a benchmark in a new Python process.

    Args:
        script (`str` or `Path`): it hands `--task` to [`answer_task`].
        task (`dict`): JSON values.
        environment (`dict[str, str]`): variables set beside those of this process.

    Raises:
        `RuntimeError`: the process failed; what it wrote is on stderr.
    """
    start = time.perf_counter()
    command = [sys.executable, str(script), "--task", json.dumps(task)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    peaks = {}
    while True:
        _note_peaks(process.pid, peaks)
        try:
            output, _ = process.communicate(timeout=POLL_SECONDS)
            break
        except subprocess.TimeoutExpired:
            continue
    seconds = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"The measured process failed with exit status {process.returncode}: {task}")
    return FreshRun(json.loads(output.splitlines()[-1]), seconds, sorted(peaks.values(), reverse=True))


def answer_task(run: Callable[..., dict], task: str):
    """Runs `run(**task)` in the measured process and prints what it returns as the last line."""
    print("\n" + json.dumps(run(**json.loads(task))), flush=True)


def _note_peaks(pid: int, peaks: dict[int, float]):
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        try:
            peaks[process.pid] = max(peaks.get(process.pid, 0.0), peak_memory(process) / MIB)
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            continue


def peak_memory(process: psutil.Process) -> int:
    """Peak resident memory so far in bytes: Linux keeps it (`VmHWM`); elsewhere what is resident now stands in."""
    status = Path(f"/proc/{process.pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    kept = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
    return kept[0] if kept else process.memory_info().rss


def alternating(names: list, repetitions: int) -> list[tuple]:
    """The order of the runs: every name once per repetition, backwards in every other one, as drift then cancels."""
    order = [names if repetition % 2 == 0 else names[::-1] for repetition in range(repetitions)]
    return [(repetition, name) for repetition, row in enumerate(order) for name in row]


def synchronize():
    """Waits for the accelerator, if there is one."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and largest of repeated measurements."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def target(
    found: float, *, at_least: float | None = None, at_most: float | None = None, below: float | None = None
) -> dict:
    """A figure beside what the project asks of it, one bound."""
    if at_least is not None:
        return {"found": found, "at_least": at_least, "met": found >= at_least}
    if at_most is not None:
        return {"found": found, "at_most": at_most, "met": found <= at_most}
    return {"found": found, "below": below, "met": found < below}


def print_targets(targets: dict[str, dict]):
    """Prints each target with what was found."""
    for name, entry in targets.items():
        [bound] = entry.keys() & {"at_least", "at_most", "below"}
        asked = f"{bound.replace('_', ' ')} {entry[bound]:g}"
        print(f"{name}: {entry['found']:.4g} ({asked}: {'met' if entry['met'] else 'NOT met'})")


def save_result(path: Path, benchmark: str, figures: dict):
    """
    Writes a result file (JSON).

    Args:
        path (`Path`): where it goes.
        benchmark (`str`): name of the script.
        figures (`dict`): what was measured; written beside date, command, machine and versions. Numbers are rounded
            to 5 digits.
    """
    header = {
        "benchmark": benchmark,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": command_line(benchmark, sys.argv[1:]),
        "machine": machine(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in PACKAGES if find_spec(name)},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(header | _rounded(figures), indent=2) + "\n", encoding="utf-8")
    print(f"Written: {path}")


def command_line(benchmark: str, arguments: list[str]) -> str:
    """The command as anyone could give it: of paths that hold on this machine only, the file name is left."""
    shown = []
    for argument in arguments:
        option, equals, value = argument.rpartition("=")
        path = PurePath(value)
        outside = path.is_absolute() or path.parts[:1] in [("..",), ("~",)]
        shown.append(f"{option}{equals}{path.name}" if outside else argument)
    return shlex.join(["python", f"benchmarks/{benchmark}.py", *shown])


def machine() -> dict:
    """Processor, cores, memory, accelerators and system."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return {
        "cpu": capabilities.get("cpu_name") or platform.processor(),
        "cpu_features": [name for name in ("avx2", "avx512_f", "avx512_bf16", "amx_bf16") if capabilities.get(name)],
        "cores": psutil.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "system": f"{platform.system()} {platform.machine()}",
    }


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
