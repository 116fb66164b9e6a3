"""Some processes of a launch whose operations give up after four seconds, in which the first one works for longer."""

import contextlib
import functools
import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist
from accelerate import PartialState

from neuromusic_hf.disk import by_main_process, main_process_first

LONGER = 5
"""Seconds."""


def wait_long(folder: Path):
    with main_process_first(folder):
        if dist.get_rank() == 0:
            time.sleep(LONGER)
            (folder / "prepared").touch()
        assert (folder / "prepared").exists()
    assert by_main_process(lambda: time.sleep(LONGER) or dist.get_rank()) == 0
    assert [path.name for path in folder.iterdir()] == ["prepared"]
    print("together", flush=True)


def give_up(folder: Path):
    """What PyTorch's own waiting comes to here."""
    time.sleep(0 if dist.get_rank() else LONGER)
    with contextlib.suppress(RuntimeError):
        dist.barrier()
        return
    print("gave up", flush=True)


def fail_in_the_first(folder: Path):
    with main_process_first(folder):
        raise {0: KeyError, 1: AssertionError}[dist.get_rank()]("the corpus")


def fail_for_all(folder: Path):
    by_main_process(lambda: {}["the result"])


def refuse_for_all(folder: Path):
    """With an error that takes more than a text."""
    by_main_process(lambda: json.loads("{"))


def die_in_the_first(folder: Path):
    with main_process_first(folder):
        time.sleep(1)
        os._exit(9)


def die_for_all(folder: Path):
    by_main_process(lambda: time.sleep(1) or os._exit(9))


def die_while_the_first_works(folder: Path):
    if dist.get_rank() == 1:
        os._exit(9)
    by_main_process(lambda: time.sleep(1))


def work_apart(folder: Path, longest: int):
    """
    The last two have one cache, and the first has another: these work at once, one longer, and all meet afterwards.
    """
    caches = [folder / "first", folder / "others", folder / "others"]
    with main_process_first(caches[dist.get_rank()]):
        if dist.get_rank() == 2:
            assert (caches[2] / "prepared").exists()
        (folder / f"begun {dist.get_rank()}").touch()
        deadline = time.monotonic() + 60
        while not all((folder / f"begun {number}").exists() for number in (0, 1)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(LONGER if dist.get_rank() == longest else 0.5)
        (caches[dist.get_rank()] / "prepared").touch()
    assert all((cache / "prepared").exists() for cache in caches)
    dist.barrier()
    print("together", flush=True)


work_apart_first_longer = functools.partial(work_apart, longest=0)
work_apart_second_longer = functools.partial(work_apart, longest=1)


def fail_apart(folder: Path):
    """The second works for itself, and so does the first, which is done when the second fails."""
    with main_process_first(folder / str(dist.get_rank())):
        if dist.get_rank() == 1:
            time.sleep(1)
            raise KeyError("the corpus")


def main():
    task, folder = sys.argv[1], Path(sys.argv[2])
    assert PartialState(cpu=True, backend="gloo", timeout=timedelta(seconds=4)).num_processes > 1
    folder.mkdir(exist_ok=True)
    globals()[task](folder)
    # Threads of gloo that outlive the group sometimes abort a process that ends in the usual way.
    os._exit(0)


if __name__ == "__main__":
    main()
