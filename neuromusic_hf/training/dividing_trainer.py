"""A Trainer whose model may be divided among processes, and whose weights are whole wherever they are shown."""

import torch
from torch.distributed.fsdp import MixedPrecisionPolicy

from ..borders.accelerate import dividing_on_cpus
from ..launch import asks_for
from .divided_weights import save_whole_model, zero_stage
from .infill_trainer import InfillTrainer


class DividingTrainer(InfillTrainer):
    """
    [`~transformers.Trainer`] that divides a model on CPUs too, and saves all weights whatever divides them.

    Raises:
        `ValueError`: DeepSpeed would save weights in parts alone.
    """

    def create_accelerator_and_postprocess(self):
        """As [`~transformers.Trainer.create_accelerator_and_postprocess`]; a model is divided on CPUs, too."""
        asked = {"FSDP": self.args.fsdp, "DeepSpeed": self.args.deepspeed}
        with dividing_on_cpus(next((name for name, option in asked.items() if asks_for(name, option)), None)):
            super().create_accelerator_and_postprocess()
        plugin = self.accelerator.state.deepspeed_plugin if self.is_deepspeed_enabled else None
        if plugin and plugin.zero_stage == 3 and not plugin.zero3_save_16bit_model:
            raise ValueError(
                "ZeRO-3 would save weights in parts, which load nowhere else: set zero3_save_16bit_model: true, as in "
                "accelerate_configs/deepspeed_zero3.yaml."
            )
        if self.is_fsdp_enabled and self.args.bf16:
            # Accelerate would add gradients up in bfloat16, and round losses to it.
            policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
            self.accelerator.state.fsdp_plugin.mixed_precision_policy = policy

    @property
    def engine(self) -> str:
        """How processes share the work: `one process`, `DDP`, `FSDP2` or `DeepSpeed ZeRO-2`, for instance."""
        if self.is_deepspeed_enabled:
            return f"DeepSpeed ZeRO-{zero_stage(self)}"
        alone = "one process" if self.args.world_size == 1 else "DDP"
        return "FSDP2" if self.is_fsdp_enabled else alone

    def save_weights(self, folder: str):
        """
        Saves all weights, with config and processor, to a folder. All processes call this; the main one writes.

        That holds for states in shards as well: what a checkpoint of those has beside them is a bundle.
        """
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            save_whole_model(self, folder)
            if self.args.should_save:
                self.processing_class.save_pretrained(folder)
        else:
            super().save_model(folder, _internal_call=True)
