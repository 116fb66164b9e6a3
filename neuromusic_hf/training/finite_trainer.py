"""A Trainer that stops where training is lost."""

import math

import torch
from torch.distributed.tensor import DTensor

from ..checkpoints.folders import newest_whole
from .divided_weights import part_of_this_process
from .searching_trainer import SearchingTrainer

MAX_SKIPPED_STEPS = 50
"""Steps in a row that a gradient scaler may skip before a run counts as lost; it halves its scale at each."""


class FiniteTrainer(SearchingTrainer):
    """
    [`~transformers.Trainer`] that ends a run whose loss, gradient or weights are not finite.

    It does so in all processes at the same step, and before it reaches a checkpoint.

    Raises (by `train`, `evaluate` and `save_model`):
        `FloatingPointError`: something is not finite; the message says what, and what to try.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._step_loss: torch.Tensor | None = None
        self._skipped_steps = 0

    def training_step(self, *args, **kwargs) -> torch.Tensor:
        """As [`~transformers.Trainer.training_step`]; remembers whether a loss was not finite."""
        loss = super().training_step(*args, **kwargs)
        self._step_loss = loss if self._step_loss is None else self._step_loss + loss
        return loss

    def _get_grad_norm(self, model, grad_norm=None):
        norm = _of_all_processes(super()._get_grad_norm(model, grad_norm=grad_norm))
        loss, self._step_loss = self._step_loss, None
        self._refuse_lost_step(loss, norm)
        return norm

    def _refuse_lost_step(self, loss: torch.Tensor, norm: torch.Tensor | float | None):
        norm = torch.as_tensor(0.0 if norm is None else norm, device=loss.device)
        figures = self.accelerator.gather(torch.stack([loss.float(), norm.float()])[None])
        lost_loss, lost_norm = (~figures.isfinite()).any(0).tolist()
        scaled = self.accelerator.scaler is not None or self.is_deepspeed_enabled
        self._skipped_steps = self._skipped_steps + 1 if lost_norm else 0
        if lost_loss or (lost_norm and (not scaled or self._skipped_steps > MAX_SKIPPED_STEPS)):
            [loss, norm] = figures[(~figures.isfinite()).any(1)][0].tolist()
            step = self.state.global_step + 1
            raise self._lost(f"In step {step} the loss is {loss} and the norm of the gradient {norm}")

    def evaluate(self, *args, **kwargs) -> dict[str, float]:
        """As [`~transformers.Trainer.evaluate`]; refuses a loss that is not finite."""
        metrics = super().evaluate(*args, **kwargs)
        for name, value in metrics.items():
            if name.endswith("_loss") and not math.isfinite(value):
                raise self._lost(f"After step {self.state.global_step} {name} is {value}")
        return metrics

    def refuse_lost_weights(self):
        """Refuses to go on with a weight that is not finite. All processes call this."""
        weights = [part_of_this_process(weight.detach()) for weight in self.model.parameters()]
        weights = [weight for weight in weights if weight.is_floating_point() and not weight.is_meta]
        lost = sum((~weight.isfinite().all()).to(self.accelerator.device).long() for weight in weights)
        lost = self.accelerator.gather(torch.as_tensor(lost, device=self.accelerator.device)[None]).sum()
        if lost:
            raise self._lost(f"After step {self.state.global_step} weights are not finite")

    def _lost(self, what: str) -> FloatingPointError:
        last = newest_whole(self.args.output_dir)
        kept = f"{last} is the last good checkpoint" if last else "There is no checkpoint yet"
        return FloatingPointError(
            f"{what}: training has diverged, and stops. {kept}. Try a lower learning_rate, more warmup_steps, a "
            "max_grad_norm of 1 or less, bf16 or float32 in place of fp16, or look at the corpus. A "
            "checkpoint keeps its learning_rate: begin a new run, which may have it as its --model and --tokenization."
        )


def _of_all_processes(norm: torch.Tensor | float | None) -> torch.Tensor | float | None:
    return norm.full_tensor() if isinstance(norm, DTensor) else norm  # of FSDP2, a part in each of them
