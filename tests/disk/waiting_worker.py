"""Two processes of a launch whose operations give up after two seconds, in which the first one works for longer."""

import contextlib
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist
from accelerate import PartialState

from neuromusic_hf.disk import by_main_process, main_process_first, wait_for_all

LONGER = 3
"""Seconds."""


def wait_long(folder: Path):
    with main_process_first(folder):
        if dist.get_rank() == 0:
            time.sleep(LONGER)
            (folder / "prepared").touch()
        assert (folder / "prepared").exists()
    assert by_main_process(lambda: time.sleep(LONGER) or dist.get_rank()) == 0
    time.sleep(0 if dist.get_rank() else LONGER)
    wait_for_all()
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


def work_apart(folder: Path):
    """Each on a machine of its own, as far as it can tell: neither waits for the other."""
    PartialState().local_process_index = 0
    with main_process_first(folder / str(dist.get_rank())):
        (folder / f"begun {dist.get_rank()}").touch()
        deadline = time.monotonic() + 60
        while len(list(folder.glob("begun *"))) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    print("together", flush=True)


def main():
    task, folder = sys.argv[1], Path(sys.argv[2])
    assert PartialState(cpu=True, backend="gloo", timeout=timedelta(seconds=2)).num_processes == 2
    folder.mkdir(exist_ok=True)
    globals()[task](folder)
    wait_for_all()
    # Threads of gloo that outlive the group sometimes abort a process that ends in the usual way.
    os._exit(0)


if __name__ == "__main__":
    main()
