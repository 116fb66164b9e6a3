"""Cores that are free, told from clocks."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from neuromusic_hf import cores
from neuromusic_hf.cores import CoreMeter, Look, taken_cores, usable_cores


@pytest.mark.parametrize(
    ("idle", "own", "taken"),
    [
        (2.0, 0.0, 0),
        (0.0, 2.0, 0),
        (1.8, 0.0, 0),
        (1.0, 1.0, 0),
        (1.0, 0.0, 1),
        (0.0, 1.0, 1),
        (0.0, 0.7, 2),
        (0, 0, 2),
    ],
)
def test_what_this_process_does_not_use_itself_is_taken_by_others(idle, own, taken):
    """Of two cores in one second."""
    assert taken_cores(Look(10.0, 50.0, 7.0, 2), Look(11.0, 50.0 + idle, 7.0 + own, 2)) == taken


@pytest.fixture
def machine(monkeypatch):
    """Four cores, and what happened on them since they were looked at last, by (seconds, idle, own)."""
    happens, slept = [], []
    now = [Look(100.0, 0.0, 0.0, 4)]

    def look():
        seconds, idle, own = happens.pop(0)
        now[0] = Look(now[0].clock + seconds, now[0].idle + idle, now[0].own + own, 4)
        return now[0]

    monkeypatch.setattr(cores, "look", look)
    monkeypatch.setattr(cores, "usable_cores", lambda: 4)
    monkeypatch.setattr(cores.time, "monotonic", lambda: now[0].clock + (happens[0][0] if happens else 0.0))
    monkeypatch.setattr(cores.time, "sleep", slept.append)
    return happens, slept


def test_a_meter_looks_twice_at_first_and_goes_on_from_there(machine):
    happens, slept = machine
    meter = CoreMeter()
    happens += [(0.0, 0.0, 0.0), (0.05, 0.1, 0.0)]
    assert (meter.free(), slept) == (2, [cores.SHORTEST])
    happens += [(1.0, 3.0, 1.0)]
    assert (meter.free(), len(slept)) == (4, 1)
    happens += [(0.01, 0.0, 0.0)]
    assert (meter.free(), len(happens)) == (4, 1), "too early to tell anything new"
    happens[:] = [(60.0, 240.0, 0.0), (0.05, 0.0, 0.0)]
    assert (meter.free(), len(slept)) == (1, 2), "what was long ago does not count"


def test_calls_at_once_get_one_answer(machine, monkeypatch):
    """One looks, and the others wait for what it finds."""
    happens, _ = machine
    happens += [(0.0, 0.0, 0.0), (0.05, 0.15, 0.0)]
    inside, go_on, meter = threading.Event(), threading.Event(), CoreMeter()
    monkeypatch.setattr(cores.time, "sleep", lambda _: (inside.set(), go_on.wait(60)))
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(meter.free)
        assert inside.wait(60)
        others = [pool.submit(meter.free) for _ in range(3)]
        go_on.set()
        assert [call.result(60) for call in (first, *others)] == [3] * 4
    assert not happens


def test_the_cores_of_this_machine_are_told():
    assert 1 <= CoreMeter().free() <= usable_cores() <= os.cpu_count()


@pytest.mark.parametrize(
    ("files", "cores_granted"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
    ],
)
def test_a_container_grants_the_time_of_so_many_cores(monkeypatch, tmp_path, files, cores_granted):
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(cores, "CGROUP", tmp_path)
    monkeypatch.setattr(cores, "own_cores", lambda: set(range(8)))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert usable_cores() == cores_granted
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert usable_cores() == max(1, cores_granted // 2)
    for nothing in ("", "0", "many"):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", nothing)
        assert usable_cores() == cores_granted
