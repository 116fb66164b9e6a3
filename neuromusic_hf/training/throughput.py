"""How fast a run trains: tokens a second, and how much of what the devices can do that is."""

import re
import time

import torch
from transformers import Trainer, TrainerCallback

from ..models.flops import training_flops_per_token

PEAK_TFLOPS = {
    "B200": 2250.0,
    "GH200": 989.0,
    "H200 NVL": 835.0,
    "H200": 989.0,
    "H100 NVL": 835.0,
    "H100 PCIe": 756.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "L4": 121.0,
    "A10G": 70.0,
    "RTX 4090": 165.2,
    "RTX 3090": 71.0,
}
"""Of dense bfloat16 products, by words in the name of a GPU, from the data sheets of their maker."""

OTHER_SPEED = re.compile(r"\b(MIG|Laptop|Max-Q|Ti|D)\b")
"""In the name of a part or of a variant of one of these."""


class Throughput(TrainerCallback):
    """
    Tokens that a run reads a second, since the figures were asked for the last time.

    The clock runs while it trains, loading included; not while it evaluates, saves or writes music, which all come
    between the end of a step and `go_on`.

    Args:
        trainer ([`~transformers.Trainer`]): which counts the tokens of all processes.
        block_size (`int`): tokens of a block.
    """

    def __init__(self, trainer: Trainer, block_size: int):
        self.trainer = trainer
        self.flops_per_token = training_flops_per_token(trainer.model, block_size)
        self.peak = peak_tflops(trainer.args.device)
        self.seconds = 0.0
        self.tokens = 0
        self._since: float | None = None

    def on_train_begin(self, args, state, control, **kwargs):
        """Called by the Trainer once it has read the checkpoint that it goes on from, whose tokens do not count."""
        self.seconds, self.tokens, self._since = 0.0, state.num_input_tokens_seen, None

    def on_step_begin(self, args, state, control, **kwargs):
        """Called by the Trainer before each optimizer step; the first one has nothing before it."""
        if self._since is None:
            self.go_on()

    def on_step_end(self, args, state, control, **kwargs):
        """Called by the Trainer after each optimizer step."""
        if self._since is not None:
            self.seconds += time.perf_counter() - self._since
        self._since = None

    def go_on(self):
        """What comes between steps is over."""
        self._since = time.perf_counter()

    def figures(self) -> dict[str, float]:
        """
        Of the steps since the last call.

        Returns:
            `dict` with `tokens_per_second`, of all processes; `model_tflops_per_second`, of one (10^12 operations);
            and `model_flops_utilisation`, where it is known what a device can do in bfloat16: a share between 0 and
            1. Empty where no token was counted.
        """
        seen = self.trainer.state.num_input_tokens_seen
        tokens, seconds = seen - self.tokens, self.seconds
        self.tokens, self.seconds = seen, 0.0
        if not (tokens and seconds):
            return {}
        speed = tokens / seconds
        done = speed * self.flops_per_token / self.trainer.args.world_size / 1e12
        figures = {"tokens_per_second": speed, "model_tflops_per_second": done}
        return figures if self.peak is None else figures | {"model_flops_utilisation": done / self.peak}


def peak_tflops(device: torch.device) -> float | None:
    """What a device can do in bfloat16, in 10^12 operations a second; `None` where that is not known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    known = (peak for words, peak in PEAK_TFLOPS.items() if re.search(rf"\b{words}\b", name))
    return None if OTHER_SPEED.search(name) else next(known, None)
