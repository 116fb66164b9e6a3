"""
Scripts in processes of their own that need not import anything: they are forked from one that has imported it all.

`python script.py` imports for seconds before it does anything; here it begins at once.
"""

import atexit
import multiprocessing
import os
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

import datasets
import huggingface_hub

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["neuromusic_hf.monitoring", "neuromusic_hf.rendering", "transformers.pipelines"])


@dataclass(frozen=True)
class Finished:
    """How a script ended, and what it said."""

    returncode: int | None
    stdout: str
    stderr: str


def run_script(path: Path, *arguments: str, folder: Path, variables: dict[str, str], timeout: float = 600) -> Finished:
    """
    Runs a Python file as `python path arguments` does in a folder.

    Args:
        path (`Path`): of the script.
        arguments (`str`): that follow it.
        folder (`Path`): where it runs.
        variables (`dict[str, str]`): of its environment, beside those that the first script of this test run had.
        timeout (`float`, *optional*, defaults to 600): seconds until it is killed, and `returncode` is `None`.
    """
    outputs = [folder / f".{name}" for name in ("stdout", "stderr")]
    process = CONTEXT.Process(target=_be_script, args=([str(path), *arguments], folder, variables, outputs))
    process.start()
    process.join(timeout)
    returncode = process.exitcode
    if returncode is None:
        process.kill()
        process.join()
    return Finished(returncode, *(path.read_text(errors="replace") for path in outputs))


def meet_the_hub(variables: dict[str, str]):
    """What of variables the libraries have read already."""
    if "HF_HUB_OFFLINE" in variables:
        for module in (huggingface_hub.constants, datasets.config):
            module.HF_HUB_OFFLINE = variables["HF_HUB_OFFLINE"] == "1"


def _be_script(argv: list[str], folder: Path, variables: dict[str, str], outputs: list[Path]):
    for descriptor, path in enumerate(outputs, 1):
        with path.open("w") as file:
            os.dup2(file.fileno(), descriptor)
    multiprocessing.set_start_method(None, force=True)  # its own, not that by which it was started
    os.environ.update(variables)
    meet_the_hub(variables)
    os.chdir(folder)
    sys.argv = argv
    searched = [os.path.abspath(path) for path in variables.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = [str(Path(argv[0]).resolve().parent), *searched]
    try:
        runpy.run_path(argv[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # processes of multiprocessing end without them
