"""A call takes as many threads as serve it, and leaves PyTorch those that it had."""

import logging
import math
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from neuromusic_hf import threads
from neuromusic_hf.generation import generate_rows
from neuromusic_hf.threads import WAITING_PASSIVELY, StepThreads, Watch, limit_threads, threads_in_force

REPOSITORY = Path(__file__).parents[1]
LARGE = threads.LEAST_SHARED
"""Rows with which any model is large."""


@pytest.fixture(autouse=True)
def threads_are_left_as_they_were(monkeypatch):
    """Tests begin with 3 threads on a machine of 4 cores."""
    found = torch.get_num_threads()
    torch.set_num_threads(3)
    monkeypatch.setattr(threads, "usable_cores", lambda: 4)
    monkeypatch.setattr(threads, "_told", "")
    monkeypatch.setattr(threads, "_watch", SimpleNamespace(go_on=lambda: None))
    monkeypatch.delenv("OMP_DYNAMIC", raising=False)
    yield
    torch.set_num_threads(found)


@pytest.fixture
def free(monkeypatch):
    """Says how many cores are free, which is looked at in every step."""

    def say(number):
        monkeypatch.setattr(threads._meter, "free", lambda: number)

    monkeypatch.setattr(threads, "SECONDS_BETWEEN_LOOKS", -1.0)
    return say


@pytest.fixture
def model():
    return torch.nn.Linear(2, 2)


@pytest.mark.parametrize(("cores", "expected"), [(4, 3), (3, 3), (2, 2), (1, 1)])
def test_no_more_threads_than_free_cores_or_than_were_asked_for(model, free, cores, expected):
    free(cores)
    assert StepThreads(model, LARGE).call(torch.get_num_threads) == expected
    assert torch.get_num_threads() == 3


def test_small_steps_take_one_thread_and_look_at_nothing(model, monkeypatch):
    monkeypatch.setattr(threads._meter, "free", None)
    assert StepThreads(model, 1).call(torch.get_num_threads) == 1


def test_no_more_threads_than_cores(model, free, monkeypatch):
    free(8)
    monkeypatch.setattr(threads, "usable_cores", lambda: 2)
    assert StepThreads(model, LARGE).call(torch.get_num_threads) == 2
    limit_threads()
    assert threads_in_force()["cpu_threads"] == torch.get_num_threads() == 2


def test_threads_that_are_to_stay_stay(model, free, monkeypatch):
    free(1)
    monkeypatch.setenv("OMP_DYNAMIC", "False")
    assert StepThreads(model, LARGE).call(torch.get_num_threads) == 3


def test_a_model_elsewhere_is_let_be(free):
    free(1)
    assert StepThreads(torch.nn.Linear(2, 2, device="meta"), LARGE).call(torch.get_num_threads) == 3


def test_a_call_follows_the_load_and_tells_it(model, free, caplog):
    call, seen = StepThreads(model, LARGE), []

    def steps():
        for cores in (4, 1, 1, 2, 4):
            free(cores)
            call.follow()
            seen.append(torch.get_num_threads())

    free(4)
    with caplog.at_level(logging.INFO):
        call.call(steps)
    assert seen == [3, 1, 1, 2, 3]
    told = [record.getMessage() for record in caplog.records]
    assert [text.split("computes with ")[1][:6] for text in told] == ["1 of 3", "2 of 3", "3 of 3"]


def test_an_error_leaves_the_threads_as_they_were(model, free):
    free(1)
    with pytest.raises(ZeroDivisionError):
        StepThreads(model, LARGE).call(lambda: 1 / 0)
    assert torch.get_num_threads() == 3


def test_between_calls_a_watch_goes_on_looking_for_a_while(model, monkeypatch):
    looked, seconds = threading.Semaphore(0), iter([0.0, 1.0, 299.0, 302.0, 302.0, 310.0])
    watch, test = Watch(SimpleNamespace(free=looked.release)), threading.current_thread()

    def monotonic() -> float:
        """The watch of other tests, which may still look, ends."""
        return next(seconds) if threading.current_thread() in (test, watch._thread) else math.inf

    monkeypatch.setattr(threads, "time", SimpleNamespace(monotonic=monotonic, sleep=lambda _: None))
    watch.go_on()  # at 0 s
    watch._thread.join(60)  # which looks at 1 and 299 s
    assert [looked.acquire(blocking=False) for _ in range(3)] == [True, True, False]
    watch.go_on()  # at 302 s, anew
    watch._thread.join(60)


def test_a_call_has_the_watch_go_on_where_it_looks_at_cores(model, free, monkeypatch):
    asked = []
    monkeypatch.setattr(threads, "_watch", SimpleNamespace(go_on=lambda: asked.append(torch.get_num_threads())))
    free(2)
    StepThreads(model, LARGE).call(lambda: None)
    assert asked == [2, 3], "as it begins, and when it has ended"
    StepThreads(model, 1).call(lambda: None)
    assert len(asked) == 2


def test_calls_in_several_threads_leave_the_threads_as_they_were(model, free):
    """The number of threads is one of each thread; a new one begins with what another has set last."""
    free(1)
    begun, may_end, seen = threading.Event(), threading.Event(), []

    def other():
        StepThreads(model, LARGE).call(lambda: (begun.set(), may_end.wait(60)))
        seen.append(torch.get_num_threads())

    def first():
        beside = threading.Thread(target=other)
        beside.start()
        assert begun.wait(60)
        return beside

    beside = StepThreads(model, LARGE).call(first)
    may_end.set()
    beside.join()
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert (seen, torch.get_num_threads()) == ([3, 3], 3)


def test_generation_follows_the_load_and_its_notes_do_not(tiny_model, free, monkeypatch):
    model = tiny_model("REMI")
    monkeypatch.setattr(threads, "LEAST_SHARED", 0)
    prompts = torch.randint(3, 100, (2, 8))
    cores, seen, rows = [3, 1, 2, 1, 1, 3] * 2, [], []
    monkeypatch.setattr(
        model,
        "forward",
        lambda *args, _own=model.forward, **kwargs: seen.append(torch.get_num_threads()) or _own(*args, **kwargs),
    )
    for change in (lambda: cores.pop(0), lambda: 1):
        monkeypatch.setattr(threads._meter, "free", change)
        rows.append(
            generate_rows(
                model,
                prompts,
                torch.ones_like(prompts),
                seeds=[0, 1],
                max_new_tokens=6,
                do_sample=True,
                eos_token_id=None,
            ).sequences
        )
    assert seen == [3, 1, 2, 1, 1, 3] + [1] * 6
    assert torch.equal(*rows)
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize(("said", "read"), [({}, "PASSIVE 1000"), ({"OMP_WAIT_POLICY": "active"}, "active None")])
def test_training_sets_how_threads_wait_before_torch_is_imported(said, read, tmp_path):
    """Its import ends the script here."""
    waiting = "*map(os.environ.get, ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT'))"
    (tmp_path / "torch.py").write_text(f"import os\nprint({waiting}, flush=True)\nos._exit(0)\n")
    variables = {name: value for name, value in os.environ.items() if name not in WAITING_PASSIVELY}
    variables |= {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY)]), **said}
    command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), "--output_dir", str(tmp_path / "run")]
    finished = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=120)
    assert (finished.stdout, finished.returncode) == (f"{read}\n", 0), finished.stderr
