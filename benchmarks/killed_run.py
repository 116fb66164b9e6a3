"""Training runs that are killed: launched again with the same command line, and watched."""

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[1]
COMPARED = ("loss", "grad_norm", "learning_rate", "eval_loss", "eval_nats_per_note", "num_input_tokens_seen")
POLL_SECONDS = 0.002
LIMIT_SECONDS = 1800
"""For one launch."""


@dataclass
class Launch:
    """What one process of the run did: `steps` are the seconds since the first launch at which a step was logged."""

    started: float
    first_step: int | None = None
    last_step: int = 0
    ended: float = 0.0
    exit_status: int | None = None
    killed_in: str | None = None
    files_of_the_save: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    steps: list[tuple[float, int]] = field(default_factory=list)


class Run:
    """A training run in a folder, launched with one and the same command line."""

    def __init__(self, folder: Path, options: list[str], log: Path):
        self.folder, self.options, self.log = folder, options, log
        self.begin = time.perf_counter()
        self.launches: list[Launch] = []
        self._left_over = None

    def launch(self, kill_when: Callable[["Run", float], bool] | None = None, file_limit: int | None = None) -> Launch:
        """Starts a process and waits for its end, or kills it once `kill_when(self, seconds)` says so."""
        launch = Launch(started=self._now())
        self._left_over = self._changed(self._staging)
        self.launches.append(launch)
        limit = None if file_limit is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit,) * 2)
        command = [sys.executable, str(ROOT / "scripts" / "train.py"), *self.options]
        command += ["--output_dir", str(self.folder), "--resume_from_checkpoint", "last"]
        with self.log.open("w") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, preexec_fn=limit)
        try:
            self._watch(process, launch, kill_when)
        finally:
            process.kill()
            process.wait()
        launch.ended = self._now()
        self._read_log(launch)
        return launch

    def _watch(self, process: subprocess.Popen, launch: Launch, kill_when):
        deadline = time.perf_counter() + LIMIT_SECONDS
        while process.poll() is None and time.perf_counter() < deadline:
            self._read_log(launch)
            if kill_when is not None and kill_when(self, self._now() - launch.started):
                process.kill()
                launch.killed_in = self._phase(launch)
                break
            time.sleep(POLL_SECONDS)
        launch.exit_status = process.wait() if launch.killed_in is None else None

    def _now(self) -> float:
        return time.perf_counter() - self.begin

    def _read_log(self, launch: Launch):
        text = self.log.read_text(errors="replace")
        launch.passed_over = [line for line in text.splitlines() if "passed over" in line]
        logged = text.count("'loss':")
        if launch.first_step is None and logged:
            launch.first_step = self._step_of_last_checkpoint(text) + 1
        for _ in range(logged - len(launch.steps)):
            launch.last_step = launch.first_step + len(launch.steps)
            launch.steps.append((self._now(), launch.last_step))

    @staticmethod
    def _step_of_last_checkpoint(text: str) -> int:
        marks = [line for line in text.splitlines() if line.startswith("The run goes on from step ")]
        return int(marks[-1].split()[6].rstrip(",")) if marks else 0

    def _phase(self, launch: Launch) -> str:
        if self.is_saving():
            launch.files_of_the_save = sorted(path.name for path in self._staging.rglob("*") if path.is_file())
            return "save"
        return "steps" if launch.steps else "start"

    @property
    def _staging(self) -> Path:
        return self.folder / "_partial" / "saving"

    @staticmethod
    def _changed(path: Path) -> int | None:
        try:
            return path.stat().st_ctime_ns
        except FileNotFoundError:
            return None

    def is_saving(self) -> bool:
        """Whether a checkpoint is being written, by this launch: a killed one leaves its own behind."""
        return self._changed(self._staging) not in (None, self._left_over)

    def curve(self) -> list[dict]:
        """What was logged, by step, as the last checkpoint tells it."""
        last = max(self.folder.glob("checkpoint-*"), key=lambda path: int(path.name.partition("-")[2]))
        history = json.loads((last / "trainer_state.json").read_text())["log_history"]
        return [{"step": entry["step"], **{k: entry[k] for k in COMPARED if k in entry}} for entry in history]

    def weights(self) -> dict[str, torch.Tensor]:
        return load_file(self.folder / "bundle/model.safetensors")


def kill_in_a_save(draw: random.Random, save_seconds: float):
    """
    Kills at a random moment of one of the next three saves. Where a save was over before that moment, the machine has
    become faster: the moment comes earlier in the next one.
    """
    seen = {"saving": False, "saves": -draw.randrange(3), "since": 0.0, "delay": draw.random() * save_seconds}

    def now(run: Run, seconds: float) -> bool:
        saving = run.is_saving()
        if saving and not seen["saving"]:
            seen["saves"] += 1
            seen["since"] = seconds
        elif seen["saving"] and not saving and seen["saves"] > 0:
            seen["delay"] /= 2
        seen["saving"] = saving
        return saving and seen["saves"] > 0 and seconds - seen["since"] >= seen["delay"]

    return now


def kill_at_random(draw: random.Random, run: Run, save_steps: int):
    """Kills at a random moment: one time in three before the first step, else within two intervals of saves."""
    start, interval = _seconds_of_a_launch(run, save_steps)
    moment = draw.uniform(0.0, start) if draw.random() < 1 / 3 else None
    after = draw.uniform(0.0, 2 * interval)

    def now(run: Run, seconds: float) -> bool:
        if moment is not None:
            return seconds >= moment
        steps = run.launches[-1].steps
        return bool(steps) and seconds >= steps[0][0] - run.launches[-1].started + after

    return now


def _seconds_of_a_launch(run: Run, save_steps: int) -> tuple[float, float]:
    """Of an unbroken run: to its first step, and from one save to the next."""
    [launch] = run.launches
    times = [seconds for seconds, _ in launch.steps]
    return times[0] - launch.started, (times[-1] - times[0]) / len(times) * save_steps


def seconds_of_a_save(run: Run) -> tuple[Launch, float]:
    """Launches the unbroken run and times how long a save is seen."""
    seen = []

    def watch(run: Run, seconds: float) -> bool:
        if run.is_saving():
            seen.append(seconds)
        return False

    launch = run.launch(watch)
    gaps = [after - before for before, after in zip(seen, seen[1:], strict=False)]
    pauses = sum(gap > 0.05 for gap in gaps)
    lasting = sum(gap for gap in gaps if gap <= 0.05)
    return launch, lasting / (pauses + 1) if seen else 0.0
