"""What reports are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..corpora.splits import CorpusSplits
from ..metrics.scores import ScoreSettings
from ..ranges import PROCESSES, SEEDS, Range, check_ranges

if TYPE_CHECKING:
    from ..metrics import Comparison, HarmonyEmbedding

LEAK_RANGES = {"max_pairs": Range(0, "pairs")}
INFILL_SCORING_RANGES = {"batch_size": Range(1, "spans"), "seed": SEEDS}


@dataclass(frozen=True)
class ScoringOptions:
    """
    How a run is scored.

    Args:
        comparisons (sequence of [`Comparison`] or `str`, *optional*):
            To score by beside those of this package, each by itself or by its import path
            (`"my_package.my_module.LOUDNESS"`).
        harmony_embedding ([`HarmonyEmbedding`], `str` or `Path`, *optional*):
            The embedding, its folder or Hub repository; the one that comes with the package if not given.
        harmony_revision (`str`, *optional*): branch, tag or commit of that repository.
        train_corpus (`str`, *optional*): corpus whose training split novelty is measured against.
        revision (`str`, *optional*): branch, tag or commit of that corpus, where it is a data set of the Hub.
        data_dir (`str`, *optional*): where that corpus lies, if it is here already.
        split_version (`str`, *optional*): how that corpus is split; as the model was trained with if not given.
        split_shares (sequence of `float`, *optional*):
            Of train, validation and test; as the model was trained with if not given.
        clean_test (`bool`, *optional*, defaults to `False`):
            Leave out pieces whose prompt or original has a twin in the training split.
        num_proc (`int`, *optional*): processes that compare pieces; as many as there are cores if not given.
        trust_remote_code (`bool`, *optional*, defaults to `False`): import the class that the model's processor names.
        settings ([`ScoreSettings`], *optional*): of bins, intervals and floors.
        token (`str` or `bool`, *optional*):
            With which model, corpus and embedding are pulled; that of `HF_TOKEN` or `hf auth login` if not given.

    Raises:
        `ValueError`: `data_dir`, `revision`, `split_version`, `split_shares` or `clean_test` without a
            `train_corpus`, `harmony_revision` without an embedding, no such split version, shares that do not add up
            to 1, or `num_proc` below 1.
    """

    comparisons: Sequence[Comparison | str] = ()
    harmony_embedding: HarmonyEmbedding | str | Path | None = None
    harmony_revision: str | None = None
    train_corpus: str | None = None
    revision: str | None = None
    data_dir: str | None = None
    split_version: str | None = None
    split_shares: Sequence[float] | None = None
    clean_test: bool = False
    num_proc: int | None = None
    trust_remote_code: bool = False
    settings: ScoreSettings = field(default_factory=ScoreSettings)
    token: str | bool | None = field(default=None, repr=False)

    def __post_init__(self):
        check_ranges(self, {"num_proc": PROCESSES})
        CorpusSplits.asked(self.split_version, self.split_shares)
        of_corpus = ("data_dir", "revision", "split_version", "split_shares", "clean_test")
        given = [name for name in of_corpus if getattr(self, name) not in (None, False)]
        if given and self.train_corpus is None:
            raise ValueError(f"{given[0]} belongs to the training corpus: name that too, with train_corpus.")
        check_embedding(self)

    def load_embedding(self) -> HarmonyEmbedding:
        """The embedding. Raises as [`load_harmony_embedding`]."""
        return load_embedding(self)


@dataclass(frozen=True)
class InfillScoringOptions:
    """
    How runs of infills are judged.

    Args:
        labels (sequence of `str`, *optional*): what to call the runs, in order; by their models if not given.
        continue_with (`str`, *optional*):
            A bundle that goes on from what precedes each span, as one more baseline; without it, there is none.
        continue_revision (`str`, *optional*): branch, tag or commit of that bundle, where it is on the Hub.
        batch_size (`int`, *optional*, defaults to 8): spans that it continues together.
        seed (`int`, *optional*, defaults to 0): of bars drawn from other pieces, and of continuations.
        comparisons (sequence of [`Comparison`] or `str`, *optional*): as of [`ScoringOptions`], as are those below.
        harmony_embedding ([`HarmonyEmbedding`], `str` or `Path`, *optional*): the one of the package if not given.
        harmony_revision (`str`, *optional*): branch, tag or commit of its repository.
        trust_remote_code (`bool`, *optional*, defaults to `False`): run code that the bundle ships or names.
        settings ([`ScoreSettings`], *optional*): of bins, intervals and floors.
        token (`str` or `bool`, *optional*): with which bundle and embedding are pulled.

    Raises:
        `ValueError`: `harmony_revision` without an embedding, `continue_revision` without a bundle, or a number is
            out of its range.
    """

    labels: Sequence[str] | None = None
    continue_with: str | None = None
    continue_revision: str | None = None
    batch_size: int = 8
    seed: int = 0
    comparisons: Sequence[Comparison | str] = ()
    harmony_embedding: HarmonyEmbedding | str | Path | None = None
    harmony_revision: str | None = None
    trust_remote_code: bool = False
    settings: ScoreSettings = field(default_factory=ScoreSettings)
    token: str | bool | None = field(default=None, repr=False)

    def __post_init__(self):
        check_ranges(self, INFILL_SCORING_RANGES)
        if self.continue_revision is not None and self.continue_with is None:
            raise ValueError("continue_revision belongs to a bundle on the Hub: name that too (continue_with).")
        check_embedding(self)

    def load_embedding(self) -> HarmonyEmbedding:
        """The embedding. Raises as [`load_harmony_embedding`]."""
        return load_embedding(self)


def check_embedding(options: ScoringOptions | InfillScoringOptions):
    """Raises `ValueError` where a revision is given without an embedding."""
    if options.harmony_revision is not None and options.harmony_embedding is None:
        raise ValueError("harmony_revision belongs to an embedding on the Hub: name that too.")


def load_embedding(options: ScoringOptions | InfillScoringOptions) -> HarmonyEmbedding:
    """That of options. Raises as [`load_harmony_embedding`]."""
    from ..metrics import load_harmony_embedding  # with transformers, which is slow to import

    return load_harmony_embedding(options.harmony_embedding, options.harmony_revision, options.token)
