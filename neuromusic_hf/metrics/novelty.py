"""How much of a continuation is copied: the longest run of notes that it shares with the training split."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from symusic.core import ScoreTick

from ..music import gather_notes
from .suffix_array import SuffixArray

NOVELTY_STEPS_PER_QUARTER = 16
"""A quarter note has, as in the project's tokenizers where a beat is a quarter: what is copied through tokens falls on
the steps of what it is copied from. Through coarser ones, only what lies on their steps does."""

LONGEST_STEPS = 511
"""Between two notes; about eight bars. Longer silences count as alike."""

PART_NOTES = 2_000_000
"""Of the training pieces that are indexed together. Fewer save no time, more only take memory."""

_INTERVALS = 256
"""Room for pitch intervals of -127 to 127."""

_END = _INTERVALS * (LONGEST_STEPS + 1)
"""Larger than any interval."""


def note_intervals(score: ScoreTick) -> np.ndarray:
    """
    The music as what lies between each note and the next, which transposition does not change.

    Notes of all tracks but drums stand in the order of onset, then pitch; those of one onset and pitch are one note.
    The whole texture is compared, not the melody alone: scales and repeated notes are common to all music, whereas a
    run through all voices with its rhythm is a copy. Onsets are quantised as miditok quantises them: an excerpt
    of an unquantised file has to begin on a step, such as a bar, as those of the midi-continuation pipeline do.

    Args:
        score ([`symusic.Score`]): in ticks.

    Returns:
        `np.ndarray` of shape `(max(0, notes - 1),)`: one number for each pair of pitch interval and time interval.
    """
    notes = gather_notes(score.resample(NOVELTY_STEPS_PER_QUARTER), drums=False)
    times, pitches = np.divmod(np.unique(notes.onset * 128 + notes.pitch), 128)
    steps = np.minimum(np.diff(times), LONGEST_STEPS)
    return (steps * _INTERVALS + np.diff(pitches) + 127).astype(np.int32)


def longest_runs(training: Iterable[ScoreTick], scores: Iterable[ScoreTick]) -> np.ndarray:
    """
    Notes of the longest run that each score shares with a training piece: exact, for runs of any length.

    The training pieces are read once, and indexed in parts of at most [`PART_NOTES`] notes (a longer piece is a part
    by itself). However many there are, it takes about 70 bytes a note of one part, 140 MB, and 100 bytes a note of the
    scores.

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
    return _search(_TrainingPieces(training), _all_intervals(scores))


def _all_intervals(scores: Iterable[ScoreTick]) -> list[np.ndarray | None]:
    return [_intervals(score) for score in scores]


def _intervals(score: ScoreTick) -> np.ndarray | None:
    """`None` for a score without notes, which is told from a single note."""
    has_notes = any(len(track.notes) for track in score.tracks if not track.is_drum)
    return note_intervals(score) if has_notes else None


class _TrainingPieces:
    """Reads training pieces in parts, and counts them."""

    def __init__(self, pieces: Iterable[ScoreTick]):
        self.pieces = pieces
        self.num_pieces = self.num_notes = 0

    def parts(self) -> Iterator[list[np.ndarray]]:
        """Intervals of pieces that have at most `PART_NOTES` notes together, or of one piece that has more."""
        part: list[np.ndarray] = []
        size = 0
        for piece in self.pieces:
            self.num_pieces += 1
            if (intervals := _intervals(piece)) is None:
                continue
            notes = len(intervals) + 1
            self.num_notes += notes
            if part and size + notes > PART_NOTES:
                yield part
                part, size = [], 0
            part.append(intervals)
            size += notes
        if not self.num_pieces:
            raise ValueError("Novelty needs at least one training piece to compare with, there is none.")
        if part:
            yield part


def _search(training: _TrainingPieces, scores: list[np.ndarray | None]) -> np.ndarray:
    """As [`longest_runs`], of intervals."""
    # All scores are one query: every one ends with a number that no piece holds, so that no run crosses it.
    ended = [np.append([] if intervals is None else intervals, _END) for intervals in scores]
    query = np.concatenate([np.zeros(0), *ended]).astype(np.int32)
    starts = np.cumsum([0, *map(len, ended)])[:-1]
    lengths = np.zeros(len(query), dtype=np.int64)
    for part in training.parts():
        np.maximum(lengths, SuffixArray(part).match_lengths(query), out=lengths)
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
    pieces = _TrainingPieces(training)
    runs = _search(pieces, of_originals + of_generated).reshape(2, -1)
    sizes = {"num_training_pieces": pieces.num_pieces, "num_training_notes": pieces.num_notes}
    used = runs.all(axis=0)
    dropped: dict[str, list[str]] = {}
    for number in np.flatnonzero(~used).tolist():
        part = "original" if runs[0, number] == 0 else "generated"
        dropped.setdefault(f"{part}: no_notes", []).append(names[number])
    pairs = tuple((original, new) if original and new else None for original, new in runs.T.tolist())
    return NoveltyScore(**_summary(*runs[:, used]), **sizes, dropped=dropped, runs=pairs)


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
        "num_pieces": len(original),
    }
