"""What leaks from split to split, or from corpus to corpus: pieces that share their melody up to key and tempo."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from datasets import Dataset
from symusic.core import ScoreTick
from tqdm import tqdm

from ..corpora import SPLIT_NAMES, Corpus
from ..corpora.builder import printable
from ..corpora.families import twins_of
from ..corpora.sanity import hash_notes
from ..music import Midi, bar_starts, gather_notes, load_score, seconds_at
from ..music.midi_feature import own_name
from ..twins import Melody, Twin, families, melody_of, shared_melody
from .leak_records import ComparedCorpus, Families, Family, LeakedPair, LeakedPiece, LeakReport, SplitLeak

RECORDED_PACKAGES = ("neuromusic_hf", "numpy", "symusic", "datasets")
TRAIN, ANY_SPLIT = "train", "any"
OWN, OTHER = "corpus", "against"
LARGEST_FAMILIES, WORKS_NAMED = 5, 12
PIECES_AT_HAND = 256


@dataclass(frozen=True)
class _Side:
    """The pieces of a split, whose column `midi` is not decoded. Sides of one group may share music."""

    corpus: str
    split: str
    rows: Dataset
    group: str


class _Pieces:
    """All pieces that are compared, counted through their sides."""

    def __init__(self, sides: Sequence[_Side]):
        self.sides = sides
        sizes = np.array([len(side.rows) for side in sides], np.int64)
        self.starts = np.cumsum(sizes) - sizes
        self.side_of = np.repeat(np.arange(len(sides)), sizes)
        self._read: dict[int, tuple[ScoreTick, Melody]] = {}

    def __len__(self) -> int:
        return len(self.side_of)

    def group(self, index: int) -> str:
        """What it is to be apart from the others of."""
        return self.sides[self.side_of[index]].group

    def row(self, index: int) -> dict:
        """Its row in its split."""
        number = self.side_of[index]
        return self.sides[number].rows[int(index - self.starts[number])]

    def read(self, index: int) -> tuple[ScoreTick, Melody]:
        """Its score and its melodies. What was read first is forgotten first."""
        if index not in self._read:
            if len(self._read) == PIECES_AT_HAND:
                del self._read[next(iter(self._read))]
            score = load_score(self.row(index)["midi"])
            self._read[index] = score, melody_of(score)
        return self._read[index]

    def piece(self, index: int) -> LeakedPiece:
        """What it is called, and where it is."""
        number, row = self.side_of[index], self.row(index)
        side, path = self.sides[number], row["midi"]["path"]
        file = printable(own_name(path)) if path else None
        title = printable(str(row.get("title") or (Path(file).stem if file else row["content_hash"][:12])))
        composer = printable(str(row["composer"])) if row.get("composer") else None
        return LeakedPiece(side.corpus, side.split, int(index - self.starts[number]), title, composer, file)


def report_leaks(
    corpus: Corpus,
    against: Corpus | None = None,
    *,
    splits: str | Sequence[str] | None = None,
    against_splits: str | Sequence[str] | None = None,
    cache_dir: str | Path | None = None,
    num_proc: int | None = None,
) -> LeakReport:
    """
    Finds the pieces of a corpus that have a twin in another split of it, or in another corpus.

    Twins share a melody of some length, in whatever key, tempo and voice (see [`shared_melody`]). Official splits are
    reported as they are. [`load_corpus`] puts the families that it finds among all pieces on one side each; those of
    an earlier version may be torn, as the report looks with the newest detector.

    Args:
        corpus ([`Corpus`]): whose splits are looked at.
        against ([`Corpus`], *optional*): in which the twins of its pieces are looked for; in itself if not given.
        splits (`str` or sequence of `str`, *optional*): of `corpus`, which to look at; all if not given.
        against_splits (`str` or sequence of `str`, *optional*): of `against`; all if not given.
        cache_dir (`str` or `Path`, *optional*): where found twins are kept; the cache of `datasets` if not given.
        num_proc (`int`, *optional*): processes that read pieces.

    Returns:
        [`LeakReport`].

    Raises:
        `ValueError`: a corpus has no such split, or `against_splits` are given without another corpus.
        `TypeError`: a corpus is streamed, or none of [`load_corpus`].

    Example:
    ```py
    >>> from neuromusic_hf import load_corpus
    >>> from neuromusic_hf.reports import report_leaks, write_leaks
    >>> maestro = load_corpus("maestro")
    >>> report = report_leaks(maestro)
    >>> page = write_leaks(report, "leaks", maestro)
    ```
    """
    if against is None and against_splits is not None:
        raise ValueError("against_splits belong to another corpus: name that too.")
    for name, given in {"corpus": corpus, "against": against}.items():
        if given is not None and not isinstance(given, Corpus):
            raise TypeError(
                f"{name} must be a Corpus, as load_corpus gives it without streaming, got {type(given).__name__}."
            )
    own = _sides(corpus, splits, None if against is None else OWN)
    others = [] if against is None else _sides(against, against_splits, OTHER)
    pieces = _Pieces([*own, *others])
    groups = None if against is None else [int(side.group == OTHER) for side in pieces.sides]
    twins = twins_of([side.rows for side in pieces.sides], cache_dir, num_proc, groups=groups)
    family_of = families(len(pieces), twins)
    leaking = [twin for twin in twins if pieces.group(twin.first) != pieces.group(twin.second)]
    pairs = [_pair(twin, pieces, family_of) for twin in tqdm(leaking, desc="Comparing twins", unit="pair")]
    return LeakReport(
        _compared(corpus, own),
        None if against is None else _compared(against, others),
        list(_leaks(pieces, leaking, pairs, family_of)),
        _families(family_of, pieces),
        sorted(pairs, key=lambda pair: (-pair.notes, -pair.share, not pair.is_copy)),
        {"python": platform.python_version(), **{name: version(name) for name in RECORDED_PACKAGES}},
    )


def _name(corpus: Corpus) -> str:
    return "+".join(each.name for each in corpus.provenance)


def _sides(corpus: Corpus, splits: str | Sequence[str] | None, group: str | None) -> list[_Side]:
    """Of one corpus each split is a group, of two each corpus."""
    name, plain = _name(corpus), Midi(decode=False)
    splits = [splits] if isinstance(splits, str) else splits
    for split in splits or ():
        if split not in corpus:
            raise ValueError(f"{name} has no split {split!r}; it has {', '.join(corpus)}.")
    chosen = [split for split in SPLIT_NAMES if split in corpus and (splits is None or split in splits)]
    return [_Side(name, split, corpus[split].cast_column("midi", plain), group or split) for split in chosen]


def _compared(corpus: Corpus, sides: list[_Side]) -> ComparedCorpus:
    return ComparedCorpus(_name(corpus), list(corpus.provenance), {side.split: len(side.rows) for side in sides})


def _pair(twin: Twin, pieces: _Pieces, family_of: np.ndarray) -> LeakedPair:
    (first, melody), (second, other_melody) = pieces.read(twin.first), pieces.read(twin.second)
    shared = shared_melody(melody, other_melody)
    return LeakedPair(
        _located(pieces.piece(twin.first), first, shared and shared.first),
        _located(pieces.piece(twin.second), second, shared and shared.second),
        twin.notes,
        twin.share,
        twin.transposition,
        _transposed_hash(first, twin.transposition) == pieces.row(twin.second)["content_hash"],
        int(family_of[twin.first]),
    )


def _located(piece: LeakedPiece, score: ScoreTick, shared: np.ndarray | None) -> LeakedPiece:
    """The piece, with the place of notes of shape `(notes, 2)` in it, onset tick and pitch."""
    if shared is None:
        return piece
    first, last = int(shared[:, 0].min()), int(shared[:, 0].max())
    bars = np.searchsorted(bar_starts(score, last + 1), (first, last), side="right")
    seconds = seconds_at(score, (first, last)).round(2)
    return replace(
        piece, bars=(int(bars[0]), int(bars[1])), ticks=(first, last), seconds=(float(seconds[0]), float(seconds[1]))
    )


def _transposed_hash(score: ScoreTick, semitones: int) -> str:
    """The content hash of its notes in another key; drums have none."""
    notes = gather_notes(score)
    pitch = notes.pitch + np.where(notes.is_drum, 0, semitones)
    return hash_notes(notes.onset, pitch, notes.is_drum, score.ticks_per_quarter)


def _leaks(pieces: _Pieces, twins: list[Twin], pairs: list[LeakedPair], family_of: np.ndarray) -> Iterator[SplitLeak]:
    """Of each split into those that it is to be apart from, the gravest first. Of train itself, the others say it."""
    edges = [
        (piece, int(pieces.side_of[other]), pair.is_copy)
        for twin, pair in zip(twins, pairs, strict=True)
        for piece, other in ((twin.first, twin.second), (twin.second, twin.first))
    ]
    for number, side in [*enumerate(pieces.sides)][::-1]:
        if side.group in (TRAIN, OTHER):
            continue
        targets = {other.split: {index} for index, other in enumerate(pieces.sides) if other.group != side.group}
        if side.group == OWN and len(targets) > 1:
            targets[ANY_SPLIT] = set.union(*targets.values())
        from_here = [edge for edge in edges if pieces.side_of[edge[0]] == number]
        kin = family_of[pieces.side_of == number]
        for split, target in targets.items():
            met = [(piece, is_copy) for piece, there, is_copy in from_here if there in target]
            found, copied = {piece for piece, _ in met}, {piece for piece, is_copy in met if is_copy}
            related = int(np.isin(kin, family_of[np.isin(pieces.side_of, list(target))]).sum())
            yield SplitLeak(side.split, split, len(side.rows), len(found), len(copied), related)


def _families(family_of: np.ndarray, pieces: _Pieces) -> Families:
    """Those of more than one piece."""
    order = np.argsort(family_of, kind="stable")
    ends = np.flatnonzero(np.diff(family_of[order])) + 1
    found = [family.tolist() for family in np.split(order, ends) if len(family) > 1]
    found.sort(key=lambda family: (-len(family), family))
    spread = [Counter(map(pieces.group, family)) for family in found]
    sizes = Counter(map(len, found))
    return Families(
        count=len(found),
        pieces=sum(map(len, found)),
        across=sum(len(groups) > 1 for groups in spread),
        sizes={str(size): sizes[size] for size in sorted(sizes)},
        largest=[
            Family(len(family), dict(groups), _works(pieces, family))
            for family, groups in zip(found[:LARGEST_FAMILIES], spread, strict=False)
        ],
    )


def _works(pieces: _Pieces, family: list[int]) -> dict[str, int]:
    return dict(Counter(pieces.piece(piece).work for piece in family).most_common(WORKS_NAMED))
