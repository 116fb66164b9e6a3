"""
Runs scripts/train.py as it is, while each process tells which part of the weights it holds between steps.

`python engine_worker.py STOP SCRIPT OPTIONS`: the second process is told to stop after step `STOP`; none is for 0.
"""

import json
import os
import runpy
import signal
import sys

from torch.distributed.tensor import DTensor
from transformers import TrainerCallback

from neuromusic_hf.training import MusicTrainer

STOP, SCRIPT, *OPTIONS = sys.argv[1:]
TRAIN = MusicTrainer.train


def part_of(weight) -> int:
    """Numbers of a weight that this process holds, as DTensors (FSDP2) or by ZeRO-3."""
    if isinstance(weight, DTensor):
        assert all(placement.is_shard() for placement in weight.placements)
        return weight.to_local().numel()
    return weight.ds_tensor.numel() if hasattr(weight, "ds_tensor") else weight.numel()


class Watch(TrainerCallback):
    """Stops a process, and tells what all of them hold."""

    def on_step_end(self, args, state, control, model=None, **kwargs):
        """Called by the Trainer after each step."""
        if state.global_step == int(STOP) and args.process_index == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        if state.global_step == 1 or int(STOP) == 0:
            held = sum(map(part_of, model.parameters()))
            print("HELD " + json.dumps([held, model.num_parameters()]), flush=True)


def train(self, *args, **kwargs):
    self.add_callback(Watch())
    return TRAIN(self, *args, **kwargs)


MusicTrainer.train = train
sys.argv = [SCRIPT, *OPTIONS]
runpy.run_path(SCRIPT, run_name="__main__")
