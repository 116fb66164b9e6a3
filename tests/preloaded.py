"""
Scripts in processes of their own that need not import anything: they are forked from one that has imported it all.

`python script.py` imports for seconds before it does anything; here it begins at once.
"""

import atexit
import multiprocessing
import os
import pkgutil
import runpy
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

import datasets
import huggingface_hub
import torch

import neuromusic_hf

CONTEXT = multiprocessing.get_context("forkserver")
RARELY_USED = {"neuromusic_hf.metrics.embedding_training", "neuromusic_hf.metrics.numeral_table"}
"""Modules that are slow to import."""
MODULES = {module.name for module in pkgutil.walk_packages(neuromusic_hf.__path__, "neuromusic_hf.")}
CONTEXT.set_forkserver_preload(sorted(MODULES - RARELY_USED))
ENVIRONMENT = dict(os.environ)
"""Before a test changes it."""


@dataclass(frozen=True)
class Finished:
    """How a script ended, and what it said."""

    returncode: int | None
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Started:
    """A script that runs."""

    process: multiprocessing.process.BaseProcess
    outputs: list[Path]

    def finish(self, timeout: float) -> Finished:
        """Waits for its end, or kills it after so many seconds: its `returncode` is then `None`."""
        self.process.join(timeout)
        returncode = self.process.exitcode
        if returncode is None:
            self.process.kill()
            self.process.join()
        return Finished(returncode, *(path.read_text(errors="replace") for path in self.outputs))


def start_script(path: Path, *arguments: str, folder: Path, variables: dict[str, str], name: str = "") -> Started:
    """
    Runs a Python file as `python path arguments` does in a folder. Python files that its main thread runs are
    forks of it.

    Args:
        path (`Path`): of the script.
        arguments (`str`): that follow it.
        folder (`Path`): where it runs.
        variables (`dict[str, str]`): of its environment, beside those that this test run began with.
        name (`str`, *optional*): of this one among several in the folder at once.
    """
    with mock.patch.dict(os.environ, ENVIRONMENT, clear=True):
        forkserver.ensure_running()
    outputs = [folder / f".{output}{name}" for output in ("stdout", "stderr")]
    process = CONTEXT.Process(target=_be_first, args=([str(path), *arguments], folder, variables, outputs))
    process.start()
    return Started(process, outputs)


def run_script(path: Path, *arguments: str, folder: Path, variables: dict[str, str], timeout: float = 600) -> Finished:
    """Runs a Python file, as [`start_script`], and waits for its end."""
    return start_script(path, *arguments, folder=folder, variables=variables).finish(timeout)


def run_code(code: str, *arguments: str, folder: Path, variables: dict[str, str] | None = None) -> Finished:
    """Runs code as `python -c code arguments` does in a folder, in which it becomes a file; else as [`run_script`]."""
    path = folder / ".code.py"
    path.write_text(code)
    return run_script(path, *arguments, folder=folder, variables=variables or {})


def run_in_two_processes(path: Path, *arguments: str, folder: Path, variables: dict[str, str]) -> list[Finished]:
    """Runs a Python file, as [`start_script`], in two processes that know of each other, as torchrun does."""
    return run_in_processes(2, path, *arguments, folder=folder, variables=variables)


def run_in_processes(
    number: int,
    path: Path,
    *arguments: str,
    folder: Path,
    variables: dict[str, str],
    store_in_first: bool = False,
    timeout: float = 300,
) -> list[Finished]:
    """
    Runs a Python file, as [`start_script`], in processes that know of each other.

    Args:
        number (`int`): of processes.
        path (`Path`): of the script.
        arguments (`str`): that follow it.
        folder (`Path`): where they run.
        variables (`dict[str, str]`): of their environment, beside those by which they find each other.
        store_in_first (`bool`, *optional*, defaults to `False`):
            What they share ends with the first one, as where somebody sets the variables; else torchrun holds it.
        timeout (`float`, *optional*, defaults to 300): seconds after which one that still runs is killed.
    """
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    shared |= {"TORCHELASTIC_USE_AGENT_STORE": str(not store_in_first)}
    shared |= {"WORLD_SIZE": str(number), "LOCAL_WORLD_SIZE": str(number)}
    if store_in_first:
        del store  # its port is free again
    started = []
    for rank in map(str, range(number)):
        own = variables | shared | {"RANK": rank, "LOCAL_RANK": rank}
        started.append(start_script(path, *arguments, folder=folder, variables=own, name=rank))
    return [each.finish(timeout) for each in started]


def meet_the_hub(variables: dict[str, str]):
    """What of variables the libraries have read already."""
    if "HF_HUB_OFFLINE" in variables:
        for module in (huggingface_hub.constants, datasets.config):
            module.HF_HUB_OFFLINE = variables["HF_HUB_OFFLINE"] == "1"
    if "HF_HUB_CACHE" in variables:
        for module in (huggingface_hub.constants, datasets.config):
            module.HF_HUB_CACHE = variables["HF_HUB_CACHE"]
    if "HF_DATASETS_CACHE" in variables:
        datasets.config.HF_DATASETS_CACHE = Path(variables["HF_DATASETS_CACHE"])


def _be_first(argv: list[str], folder: Path, variables: dict[str, str], outputs: list[Path]):
    subprocess.Popen = _Popen
    with outputs[0].open("w") as out, outputs[1].open("w") as error:
        _be_script(argv, variables, (out.fileno(), error.fileno()), folder)


def _be_script(argv: list[str], variables: dict[str, str], outputs: tuple[int, int], folder: str | Path | None = None):
    for descriptor, output in enumerate(outputs, 1):
        os.dup2(output, descriptor)
    multiprocessing.set_start_method(None, force=True)  # its own, not that by which it was started
    os.environ.update(variables)
    meet_the_hub(variables)
    if "PYTHONUNBUFFERED" in variables:
        sys.stdout.reconfigure(write_through=True)
    os.chdir(folder or ".")
    sys.argv = argv
    searched = [os.path.abspath(path) for path in variables.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = [str(Path(argv[0]).resolve().parent), *searched]
    try:
        runpy.run_path(argv[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # processes of multiprocessing end without them


class ForkedScript:
    """What `subprocess.Popen` is of a Python file: a fork of this process in place of a new one."""

    def __init__(self, args, stdout=None, stderr=None, env=None, cwd=None, preexec_fn=None, **_):
        self.args, self.returncode = args, None
        self._said = tempfile.TemporaryFile("w+") if stdout == subprocess.PIPE else None
        out = (self._said or stdout).fileno() if self._said or stdout else 1
        error = {None: 2, subprocess.STDOUT: out}[stderr] if not hasattr(stderr, "fileno") else stderr.fileno()

        def work():
            atexit._clear()  # what this process has to do at its end is not the fork's
            if preexec_fn is not None:
                preexec_fn()
            _be_script([*map(str, args[1:])], dict(env or os.environ), (out, error), cwd)

        self._process = multiprocessing.get_context("fork").Process(target=work)
        self._process.start()
        self.pid = self._process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wait()

    def poll(self) -> int | None:
        self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def communicate(self, input: None = None, timeout: float | None = None) -> tuple[str | None, None]:
        self.wait(timeout)
        if self._said is None:
            return None, None
        self._said.seek(0)
        return self._said.read(), None

    def kill(self):
        self._process.kill()


class _Popen(subprocess.Popen):
    def __new__(cls, args, *more, **how):
        is_script = isinstance(args, list) and args[0] == sys.executable and str(args[1]).endswith(".py")
        can_fork = threading.current_thread() is threading.main_thread()  # others may hold locks
        return ForkedScript(args, **how) if is_script and can_fork else super().__new__(cls)
