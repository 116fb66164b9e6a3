"""What is watched while a model trains, and when that ends the training."""

from dataclasses import dataclass, field

DEFAULT_INFILLS = 4
"""Pieces of which bars are filled in at each test of a model that learns it."""


@dataclass
class WatchingArguments:
    """
    Early stopping and tests of continuations; options of a run beside those of [`~transformers.TrainingArguments`].

    `eval_on_start`, which is one of those, asks for both an evaluation and a test before the first step.
    """

    early_stopping_patience: int | None = field(
        default=None,
        metadata={
            "help": "stop after so many evaluations in a row that are no better than the best one by "
            "metric_for_best_model; no early stop if not set"
        },
    )
    early_stopping_threshold: float = field(
        default=0.0, metadata={"help": "by how much of that metric an evaluation has to be better"}
    )
    eval_continuations_steps: float | None = field(
        default=None,
        metadata={
            "help": "optimizer steps between two tests of continuations, or a share of the run; no tests if not set"
        },
    )
    eval_continuations: int = field(default=16, metadata={"help": "validation pieces continued in each of them"})
    eval_continuations_novelty: bool = field(
        default=False,
        metadata={"help": "compare them with the train split, too, which is read at each test: is the model copying?"},
    )
    eval_shown_continuations: int = field(
        default=4,
        metadata={
            "help": "so many of these are shown as pictures, sound and tokens, beside the original and what the "
            "model expects in it; each takes one more pass of the model"
        },
    )
    eval_infills: int | None = field(
        default=None,
        metadata={
            "help": f"of so many of these pieces bars are filled in, too; if not set, of {DEFAULT_INFILLS} where the "
            "model learns that"
        },
    )
    eval_prompt_length: int | None = field(
        default=None, metadata={"help": "tokens of each prompt; by default half of the context or of a usual piece"}
    )
    eval_continue_length: int | None = field(
        default=None, metadata={"help": "most tokens to add; by default half of the context or of a usual piece"}
    )
    eval_comparisons: list[str] = field(
        default_factory=list,
        metadata={"help": "import paths of comparisons to score them by, beside those of this package"},
    )
    eval_harmony_embedding: str | None = field(
        default=None, metadata={"help": "folder or Hub id; the one that comes with the package if not set"}
    )
    eval_harmony_revision: str | None = field(
        default=None, metadata={"help": "branch, tag or commit of that embedding on the Hub"}
    )
