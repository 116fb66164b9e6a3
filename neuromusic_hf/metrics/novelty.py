"""How much of a continuation is copied: the longest run of notes that it shares with the training split."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from symusic.core import ScoreTick

from ..copying.intervals import END, intervals_of
from ..copying.suffix_array import SuffixArray
from ..copying.training_parts import TrainingParts


def longest_runs(training: Iterable[ScoreTick], scores: Iterable[ScoreTick]) -> np.ndarray:
    """
    Notes of the longest run that each score shares with a training piece: exact, for runs of any length.

    The training pieces are read once, and indexed in parts, as of [`TrainingParts`]. However many there are, it takes
    about 70 bytes a note of one part, 140 MB, and 100 bytes a note of the scores.

    Args:
        training (`Iterable[symusic.Score]`): the training split; one is held at a time.
        scores (`Iterable[symusic.Score]`): that are compared with it; one is held at a time.

    Returns:
        `np.ndarray` of shape `(scores,)`: notes; 1 where only single notes are shared, 0 for a score without notes
        (drums apart).

    Raises:
        `ValueError`: there is no training piece.

    Example:
    ```py
    >>> from neuromusic_hf import load_corpus
    >>> from neuromusic_hf.metrics import longest_runs
    >>> corpus = load_corpus("bach")
    >>> longest_runs(corpus["train"]["midi"], corpus["test"]["midi"])
    ```
    """
    return _search(TrainingParts(training), _all_intervals(scores))


def _all_intervals(scores: Iterable[ScoreTick]) -> list[np.ndarray | None]:
    return [intervals_of(score) for score in scores]


def _search(training: TrainingParts, scores: list[np.ndarray | None]) -> np.ndarray:
    """As [`longest_runs`], of intervals."""
    # All scores are one query: every one ends with a number that no piece holds, so that no run crosses it.
    ended = [np.append([] if intervals is None else intervals, END) for intervals in scores]
    query = np.concatenate([np.zeros(0), *ended]).astype(np.int32)
    starts = np.cumsum([0, *map(len, ended)])[:-1]
    lengths = np.zeros(len(query), dtype=np.int64)
    for part in training:
        np.maximum(lengths, SuffixArray(part).match_lengths(query), out=lengths)
    if not training.num_pieces:
        raise ValueError("Novelty needs at least one training piece to compare with, there is none.")
    has_notes = np.array([intervals is not None for intervals in scores], dtype=bool)
    return np.where(has_notes, 1 + np.maximum.reduceat(lengths, starts), 0)


@dataclass(frozen=True)
class NoveltyScore:
    """
    Longest shared runs of continuations beside those of the originals, in notes. What has no piece is `None`.

    Args:
        mean_generated (`float`): length of the run of a continuation, in the mean.
        mean_original (`float`): of an original.
        median_generated (`float`): of a continuation, in the median.
        median_original (`float`): of an original.
        longest_generated (`int`): of the continuation that copies most.
        longest_original (`int`): of the original that shares most.
        share_beyond_originals (`float`):
            Of the continuations whose run is longer than the runs of 95% of the originals: 0.05 or less is what music
            shares by chance.
        lengths_generated (`dict[str, int]`): how many continuations have a longest shared run of so many notes.
        lengths_original (`dict[str, int]`): how many originals.
        num_pieces (`int`): pieces that count.
        num_training_pieces (`int`): compared with.
        num_training_notes (`int`): compared with.
        dropped (`dict[str, list[str]]`): names of the pieces that do not count, by reason.
        runs (`tuple[tuple[int, int] | None, ...]`):
            Of each piece, the longest shared runs of its original and of its continuation; `None` where it does not
            count. Not part of `to_dict`.
    """

    mean_generated: float | None = None
    mean_original: float | None = None
    median_generated: float | None = None
    median_original: float | None = None
    longest_generated: int | None = None
    longest_original: int | None = None
    share_beyond_originals: float | None = None
    lengths_generated: dict[str, int] = field(default_factory=dict)
    lengths_original: dict[str, int] = field(default_factory=dict)
    num_pieces: int = 0
    num_training_pieces: int = 0
    num_training_notes: int = 0
    dropped: dict[str, list[str]] = field(default_factory=dict)
    runs: tuple[tuple[int, int] | None, ...] = ()

    def to_dict(self) -> dict:
        """Plain values that valid JSON can hold."""
        summary = {name: value for name, value in asdict(self).items() if name != "runs"}
        return summary | {"num_dropped": sum(map(len, self.dropped.values()))}


def score_novelty(
    training: Iterable[ScoreTick],
    originals: Iterable[ScoreTick],
    generated: Iterable[ScoreTick],
    names: Sequence[str] | None = None,
) -> NoveltyScore:
    """
    Compares what continuations share with the training split with what the originals share with it.

    A longer piece shares longer runs by chance: give originals as long as the continuations. Time and memory are those
    of [`longest_runs`].

    Args:
        training (`Iterable[symusic.Score]`): the training split, which holds none of the originals.
        originals (`Iterable[symusic.Score]`): how the pieces really go on.
        generated (`Iterable[symusic.Score]`): how the model goes on, in the same order.
        names (`list[str]`, *optional*): of the pieces; their indices if not given.

    Returns:
        [`NoveltyScore`]

    Raises:
        `ValueError`: there is no training piece, or the numbers of originals, continuations and names differ.
    """
    of_originals, of_generated = _all_intervals(originals), _all_intervals(generated)
    names = list(map(str, range(len(of_originals)))) if names is None else names
    if not len(names) == len(of_originals) == len(of_generated):
        raise ValueError(
            f"{len(of_originals)} originals, {len(of_generated)} continuations and {len(names)} names: give one of "
            "each per piece."
        )
    pieces = TrainingParts(training)
    runs = _search(pieces, of_originals + of_generated).reshape(2, -1)
    used = runs.all(axis=0)
    dropped: dict[str, list[str]] = {}
    for number in np.flatnonzero(~used).tolist():
        part = "original" if runs[0, number] == 0 else "generated"
        dropped.setdefault(f"{part}: no_notes", []).append(names[number])
    pairs = tuple((original, new) if original and new else None for original, new in runs.T.tolist())
    return NoveltyScore(
        **_summary(*runs[:, used]),
        num_training_pieces=pieces.num_pieces,
        num_training_notes=pieces.num_notes,
        dropped=dropped,
        runs=pairs,
    )


def _summary(original: np.ndarray, generated: np.ndarray) -> dict:
    if not len(original):
        return {}
    usual = np.quantile(original, 0.95, method="higher")
    return {
        "mean_generated": float(generated.mean()),
        "mean_original": float(original.mean()),
        "median_generated": float(np.median(generated)),
        "median_original": float(np.median(original)),
        "longest_generated": int(generated.max()),
        "longest_original": int(original.max()),
        "share_beyond_originals": float((generated > usual).mean()),
        "lengths_generated": _lengths(generated),
        "lengths_original": _lengths(original),
        "num_pieces": len(original),
    }


def _lengths(runs: np.ndarray) -> dict[str, int]:
    lengths, counts = np.unique(runs, return_counts=True)
    return dict(zip(map(str, lengths.tolist()), counts.tolist(), strict=True))
