"""How much of a continuation is copied: the longest run of notes that it shares with the training split."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from symusic.core import ScoreTick

from .suffix_array import SuffixArray

STEPS_PER_QUARTER = 8
"""As the project's tokenizers: what is copied through tokens falls on the steps of what it is copied from."""

LONGEST_STEPS = 255
"""Between two notes; about eight bars. Longer silences count as alike."""

_INTERVALS = 256
"""Room for pitch intervals of -127 to 127."""


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
    tracks = [track.notes.numpy() for track in score.resample(STEPS_PER_QUARTER).tracks if not track.is_drum]
    times = np.concatenate([np.zeros(0, np.int64), *(notes["time"] for notes in tracks)]).astype(np.int64)
    pitches = np.concatenate([np.zeros(0, np.int64), *(notes["pitch"] for notes in tracks)]).astype(np.int64)
    times, pitches = np.divmod(np.unique(times * 128 + pitches), 128)
    steps = np.minimum(np.diff(times), LONGEST_STEPS)
    return (steps * _INTERVALS + np.diff(pitches) + 127).astype(np.int32)


class NoveltyIndex:
    """
    The notes of a corpus, in which the longest run shared with other music is found.

    A suffix array, exact for runs of any length. Building it takes n log n time and about 70 bytes a note at its
    peak, keeping it 8 bytes a note.

    Args:
        pieces (`Iterable[symusic.Score]`): the training split; one is held at a time.

    Raises:
        `ValueError`: there is no piece.

    Example:

    ```py
    >>> from neuromusic_hf import load_corpus
    >>> from neuromusic_hf.metrics import NoveltyIndex
    >>> corpus = load_corpus("bach")
    >>> index = NoveltyIndex(row["midi"] for row in corpus["train"])
    >>> index.longest_runs([corpus["train"][0]["midi"]])
    ```
    """

    def __init__(self, pieces: Iterable[ScoreTick]):
        sequences = [note_intervals(piece) for piece in pieces]
        if not sequences:
            raise ValueError("Novelty needs at least one training piece to compare with, there is none.")
        self.num_notes = sum(len(sequence) + 1 for sequence in sequences)
        self.num_pieces = len(sequences)
        self.suffixes = SuffixArray(sequences)

    def longest_runs(self, scores: Iterable[ScoreTick]) -> np.ndarray:
        """
        Notes of the longest run that each score shares with a piece of the corpus.

        Args:
            scores (`Iterable[symusic.Score]`): in ticks.

        Returns:
            `np.ndarray` of shape `(scores,)`: notes; 1 where only single notes are shared, 0 for a score without notes
            (drums apart).
        """
        return np.array([self._longest_run(score) for score in scores], dtype=np.int64)

    def _longest_run(self, score: ScoreTick) -> int:
        if not any(len(track.notes) for track in score.tracks if not track.is_drum):
            return 0
        return 1 + int(self.suffixes.match_lengths(note_intervals(score)).max(initial=0))


@dataclass(frozen=True)
class NoveltyScore:
    """
    Longest shared runs of continuations beside those of the originals, in notes. What has no piece is `None`.

    Args:
        mean_generated (`float`): of the continuations.
        mean_original (`float`): of the originals.
        median_generated (`float`): of the continuations.
        median_original (`float`): of the originals.
        longest_generated (`int`): of the continuations.
        longest_original (`int`): of the originals.
        share_beyond_originals (`float`):
            Of the continuations whose run is longer than the runs of 95% of the originals: 0.05 or less is what music
            shares by chance.
        num_pieces (`int`): pieces that count.
        num_training_pieces (`int`): compared with.
        num_training_notes (`int`): compared with.
        dropped (`dict[str, list[str]]`): names of the pieces that do not count, by reason.
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

    def to_dict(self) -> dict:
        """Plain values that valid JSON can hold."""
        return asdict(self) | {"num_dropped": sum(map(len, self.dropped.values()))}


def score_novelty(
    index: NoveltyIndex,
    originals: Iterable[ScoreTick],
    generated: Iterable[ScoreTick],
    names: Sequence[str] | None = None,
) -> NoveltyScore:
    """
    Compares what continuations share with the training split with what the originals share with it.

    A longer piece shares longer runs by chance: give originals as long as the continuations.

    Args:
        index ([`NoveltyIndex`]): of the training split, which holds none of the originals.
        originals (`Iterable[symusic.Score]`): how the pieces really go on.
        generated (`Iterable[symusic.Score]`): how the model goes on, in the same order.
        names (`list[str]`, *optional*): of the pieces; their indices if not given.

    Returns:
        [`NoveltyScore`]

    Raises:
        `ValueError`: the numbers of originals, continuations and names differ.
    """
    runs = {"original": index.longest_runs(originals), "generated": index.longest_runs(generated)}
    names = list(map(str, range(len(runs["original"])))) if names is None else names
    if not len(names) == len(runs["original"]) == len(runs["generated"]):
        raise ValueError(
            f"{len(runs['original'])} originals, {len(runs['generated'])} continuations and {len(names)} names: give "
            "one of each per piece."
        )
    used = (runs["original"] > 0) & (runs["generated"] > 0)
    dropped = {}
    for number in np.flatnonzero(~used):
        part = "original" if runs["original"][number] == 0 else "generated"
        dropped.setdefault(f"{part}: no_notes", []).append(names[number])
    sizes = {"num_training_pieces": index.num_pieces, "num_training_notes": index.num_notes}
    return NoveltyScore(**_summary(runs["original"][used], runs["generated"][used]), **sizes, dropped=dropped)


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
