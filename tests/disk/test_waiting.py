"""Processes of a launch wait for one that works longer than their timeout, and fail with it."""

import os
from pathlib import Path

import pytest
from preloaded import run_in_two_processes

from neuromusic_hf.disk import by_main_process, main_process_first, wait_for_all

WORKER = Path(__file__).with_name("waiting_worker.py")


@pytest.fixture
def run_two(tmp_path):
    """Runs a function of the worker in two processes."""
    variables = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    return lambda task: run_in_two_processes(WORKER, task, str(tmp_path / "w"), folder=tmp_path, variables=variables)


@pytest.mark.parametrize("task", ["wait_long", "work_apart"])
def test_two_processes_come_together(run_two, task):
    for ended in run_two(task):
        assert (ended.returncode, ended.stdout) == (0, "together\n"), ended.stderr[-3000:]


def test_the_timeout_is_in_force(run_two):
    assert run_two("give_up")[1].stdout == "gave up\n"


@pytest.mark.parametrize(("task", "told"), [("fail_in_the_first", "the corpus"), ("fail_for_all", "the result")])
def test_the_error_of_the_main_process_frees_the_other(run_two, task, told):
    first, second = run_two(task)
    assert first.returncode == second.returncode == 1
    assert f"KeyError: '{told}'" in first.stderr
    assert "RuntimeError: Process 0 on" in second.stderr and f"KeyError: '{told}'" in second.stderr


def test_one_process_waits_for_nobody(tmp_path):
    wait_for_all()
    with main_process_first(tmp_path / "cache"):
        assert by_main_process(lambda: 7) == 7
    assert not (tmp_path / "cache").exists()
