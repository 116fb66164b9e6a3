"""Tokens a second, by a clock that stands while a run does anything else."""

from types import SimpleNamespace

import pytest
import torch

from neuromusic_hf.models.flops import training_flops_per_token
from neuromusic_hf.training import throughput
from neuromusic_hf.training.throughput import Throughput, peak_tflops


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: clock.now)
    return clock


@pytest.fixture
def trainer(tiny_model):
    state = SimpleNamespace(num_input_tokens_seen=5000)
    args = SimpleNamespace(device=torch.device("cpu"), world_size=2)
    return SimpleNamespace(model=tiny_model("REMI"), state=state, args=args)


def train(speed, trainer, clock, seconds, tokens):
    speed.on_step_begin(None, trainer.state, None)
    clock.now += seconds
    trainer.state.num_input_tokens_seen += tokens
    speed.on_step_end(None, trainer.state, None)


def test_what_comes_between_steps_and_what_was_read_before_do_not_count(trainer, clock, monkeypatch):
    monkeypatch.setattr(throughput, "peak_tflops", lambda device: 1e-6)
    speed = Throughput(trainer, 64)
    speed.on_train_begin(None, trainer.state, None)
    train(speed, trainer, clock, 2.0, 300)
    clock.now += 50  # an evaluation
    speed.go_on()
    clock.now += 1.0  # the next batch is loaded
    train(speed, trainer, clock, 3.0, 300)
    figures = speed.figures()
    done = 100 * training_flops_per_token(trainer.model, 64) / 2 / 1e12
    expected = {"tokens_per_second": 100, "model_tflops_per_second": done, "model_flops_utilisation": done / 1e-6}
    assert figures == pytest.approx(expected)
    assert speed.figures() == {}
    speed.go_on()
    train(speed, trainer, clock, 1.0, 50)
    assert speed.figures()["tokens_per_second"] == pytest.approx(50)


def test_what_a_device_can_do_is_told_where_it_is_known(monkeypatch):
    assert peak_tflops(torch.device("cpu")) is None
    for name, peak in {
        "NVIDIA H100 80GB HBM3": 989,
        "NVIDIA H100 PCIe": 756,
        "NVIDIA H100 NVL": 835,
        "NVIDIA A100-SXM4-40GB": 312,
        "NVIDIA A100-SXM4-40GB MIG 1g.5gb": None,
        "NVIDIA L40S": 362,
        "NVIDIA L40": None,
        "NVIDIA L4": 121,
        "NVIDIA GeForce RTX 4090": 165.2,
        "NVIDIA GeForce RTX 4090 Laptop GPU": None,
        "Tesla K80": None,
    }.items():
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device, name=name: name)
        assert peak_tflops(torch.device("cuda")) == peak


def test_a_run_logs_it_beside_the_loss(make_trainer):
    trainer = make_trainer(max_steps=2)
    trainer.train()
    steps = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert len(steps) == 2 and all(entry["tokens_per_second"] > 0 < entry["grad_norm"] for entry in steps)
    assert not any("tokens_per_second" in entry for entry in trainer.state.log_history if "loss" not in entry)
    assert not any(name.startswith("train_") for entry in steps for name in entry), "which would count evaluations"
