"""Whether a run trains an adapter in place of all weights, and which."""

from dataclasses import dataclass, field

from transformers.utils import is_peft_available

ALL_LINEAR = "all-linear"
"""What peft calls all linear layers but the head."""


@dataclass
class LoraArguments:
    """
    LoRA (Hu et al. 2021, arXiv:2106.09685), by the names that peft gives its settings.

    Raises:
        `ImportError`: an adapter is asked for, and peft is not installed.
    """

    lora_rank: int | None = field(
        default=None,
        metadata={"help": "train a LoRA adapter of this rank, and no other weights; all weights if not set"},
    )
    lora_alpha: float | None = field(
        default=None, metadata={"help": "weight of what the adapter adds, over lora_rank; twice the rank if not set"}
    )
    lora_dropout: float | None = field(
        default=None, metadata={"help": "share of what the adapter reads that is left out; 0 if not set"}
    )
    lora_target_modules: list[str] | None = field(
        default=None,
        metadata={"help": f"names of the layers that it changes; {ALL_LINEAR} (all but the head) if not set"},
    )
    lora_merge: bool | None = field(
        default=None,
        metadata={
            "help": "leave a whole model, into which the adapter is merged; if false, the adapter; true if not set",
            "nargs": "?",
            "const": True,
        },
    )

    def check_peft(self):
        """Refuses an adapter where peft is not installed."""
        if self.lora_rank is not None and not is_peft_available():
            raise ImportError(f"lora_rank={self.lora_rank} trains an adapter, which peft makes: pip install peft.")

    @property
    def lora_targets(self) -> str | list[str]:
        """As peft takes them."""
        said = self.lora_target_modules
        return ALL_LINEAR if said in (None, [ALL_LINEAR]) else said

    @property
    def leaves_adapter(self) -> bool:
        """Whether the bundle of the run is an adapter, and no whole model."""
        return self.lora_rank is not None and self.lora_merge is False
