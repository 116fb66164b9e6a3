"""Processes of a launch wait for one that works longer than their timeout, and fail with it."""

import os
from pathlib import Path

import pytest
from preloaded import run_in_processes

from neuromusic_hf.disk import by_main_process, main_process_first

WORKER = Path(__file__).with_name("waiting_worker.py")


@pytest.fixture
def run(tmp_path):
    """Runs a function of the worker in some processes, two if not given."""
    folder, variables = tmp_path / "w", {**os.environ, "ACCELERATE_USE_CPU": "true"}

    def run_task(task, number=2, **how):
        how |= {"folder": tmp_path, "variables": variables, "timeout": 60}
        return run_in_processes(number, WORKER, task, str(folder), **how)

    return run_task


@pytest.mark.parametrize(
    ("task", "number"), [("wait_long", 2), ("work_apart_first_longer", 3), ("work_apart_second_longer", 3)]
)
def test_processes_come_together(run, task, number):
    for ended in run(task, number):
        assert (ended.returncode, ended.stdout) == (0, "together\n"), ended.stderr[-3000:]


def test_the_timeout_is_in_force(run):
    assert run("give_up")[1].stdout == "gave up\n"


@pytest.mark.parametrize(("task", "told"), [("fail_in_the_first", "the corpus"), ("fail_for_all", "the result")])
def test_the_error_of_the_main_process_frees_the_other(run, task, told):
    first, second = run(task)
    assert first.returncode == second.returncode == 1
    assert f"KeyError: '{told}'" in first.stderr
    assert "RuntimeError: Process 0 on" in second.stderr and f"KeyError: '{told}'" in second.stderr


def test_the_error_of_a_process_that_works_for_itself_ends_all(run):
    first, second, third = run("fail_apart", 3)
    assert first.returncode == second.returncode == third.returncode == 1
    assert "KeyError: 'the corpus'" in second.stderr
    for other in (first, third):
        assert "RuntimeError: Process 1 on" in other.stderr and "KeyError: 'the corpus'" in other.stderr


def test_an_error_of_the_main_process_is_raised_in_all(run):
    for ended, kind in zip(run("refuse_for_all"), ("json.decoder.JSONDecodeError", "ValueError"), strict=True):
        assert ended.returncode == 1
        assert f"\n{kind}: Expecting property name" in ended.stderr


@pytest.mark.parametrize("task", ["die_in_the_first", "die_for_all"])
def test_a_main_process_that_dies_at_its_work_frees_the_other(run, task):
    first, second = run(task, store_in_first=True)
    assert (first.returncode, second.returncode) == (9, 1), second.stderr[-3000:]
    assert "The main process of this launch is gone" in second.stderr


def test_a_process_that_dies_while_the_main_process_works_ends_it_afterwards(run):
    first, second = run("die_while_the_first_works", store_in_first=True)
    assert (first.returncode, second.returncode) == (1, 9), first.stderr[-3000:]


def test_one_process_waits_for_nobody(tmp_path):
    with main_process_first(tmp_path / "cache"):
        assert by_main_process(lambda: 7) == 7
    assert not (tmp_path / "cache").exists()
