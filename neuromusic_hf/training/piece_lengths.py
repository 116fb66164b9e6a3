"""How long the pieces of a train split are, told once when a run begins."""

from collections.abc import Mapping

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class PieceLengths(TrainerCallback):
    """
    Logs the mean length of the training pieces: continuations that the model ends itself compare with it.

    Args:
        trainer ([`~transformers.Trainer`]): that logs.
        facts (mapping, *optional*): about its train split, from [`TrainingBlocks`]; it logs nothing without them, or
            of a stream, of which nothing is read yet.
    """

    def __init__(self, trainer: Trainer, facts: Mapping | None):
        self.trainer = trainer
        self.facts = facts

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        """Called by the Trainer once it has read the checkpoint that it goes on from, if any."""
        if state.global_step == 0 and self.facts and self.facts.get("rows"):
            self.trainer.log(mean_lengths(self.facts))


def mean_lengths(facts: Mapping) -> dict[str, float]:
    """
    Of the pieces of a split and their variants, BOS and EOS counted.

    Args:
        facts (mapping): about the split.

    Returns:
        `dict`: `piece_tokens` and `piece_notes`; `piece_seconds` of the pieces themselves, where it is known.
    """
    lengths = {f"piece_{name}": facts[name] / facts["rows"] for name in ("tokens", "notes")}
    seconds = facts.get("mean_seconds")
    return lengths if seconds is None else lengths | {"piece_seconds": seconds}
