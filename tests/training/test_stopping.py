"""A request to stop is heard whenever it comes, and acted upon by all processes at once."""

import signal
from types import SimpleNamespace

import torch

from neuromusic_hf.training.stopping import StopRequest


def test_a_signal_that_comes_while_processes_ask_each_other_is_for_the_next_time():
    stop = StopRequest()
    comes = iter([True, False])

    def gather(asked):
        if next(comes):
            signal.raise_signal(signal.SIGTERM)
        return asked

    accelerator = SimpleNamespace(num_processes=2, device="cpu", gather=gather)
    with stop.listening():
        assert not stop.agreed(accelerator)
        assert stop.agreed(accelerator)
    assert stop.signal == signal.SIGTERM


def test_what_one_process_was_asked_all_do():
    stop = StopRequest()
    gathered = SimpleNamespace(num_processes=2, device="cpu", gather=lambda asked: torch.tensor([0, signal.SIGINT]))
    assert stop.agreed(gathered) and stop.signal == signal.SIGINT
