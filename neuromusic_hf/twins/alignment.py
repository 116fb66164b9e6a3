"""What two pieces share, note by note, and whether it makes them twins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import LCSseq

from .detectors import NEWEST, Detector
from .melodies import Melody
from .runs import WIDEST_STEP, distinct, goes_by_step, is_figure, melodic_runs

ALIGNED_RUN = 5
"""Intervals of the runs that are aligned."""

MOST_RUNS = 16_384
"""Of a line, that are aligned: the table of an alignment takes a bit for each pair."""

MOST_LINES = 3
"""Pairs of lines that are aligned, of those that share most."""

FEWEST_RUNS = 12
"""Distinct ones that two lines share, to be aligned."""

GAP_COST = 0.25
"""Of a run that is skipped, in runs that match."""

SAME_RHYTHM = 0.4
"""Octaves of time by which the pace of two runs may change between two notes of the same rhythm."""

TUNEFUL = 0.3
"""Share of steps, of two semitones at most, from which on a passage is a tune and no broken chords."""

FIGURES_OF_TUNE = 2
"""Runs of figuration that count for each other one of a tune: tunes have scales in them."""

FRESH = 0.1
"""Share of the runs of broken chords that tell, below which they are a pattern that comes again and again."""

TELLING_RUNS = {True: 20.0, False: 32.0}
"""Of a tune and of something else, runs that make twins of any two pieces, as [`SharedMelody.telling`] counts them; of
those that go by step alone few do, see [`Detector`]."""

FEWER_RUNS = float(FEWEST_RUNS)
SHARE_OF_LINE = {True: 0.4, False: 0.5}
SHARE_OF_PIECE = 0.05
DENSITY = 0.4
"""Fewer runs have to be so much of the shorter line and of the whole piece, and close together: chorales are short."""

LIKENESS_OF_COPIES = 0.9
"""A piece that is all figuration is known by all of it, in its order."""


@dataclass(frozen=True, eq=False)
class SharedMelody:
    """
    A passage of a line that two pieces share.

    Args:
        telling (`float`): its distinct runs of [`ALIGNED_RUN`] intervals but for figuration ([`is_figure`]), of which
            a tune may have some; of those in another rhythm, half.
        leaping (`float`): of these, those that tell if what goes by step alone is figuration, too.
        tuneful (`float`): of the steps between its notes, those of two semitones at most.
        share (`float`): of the runs of the shorter line, those that match.
        share_of_piece (`float`): of the distinct runs of the smaller piece, those that match.
        density (`float`): of the runs from the first to the last that matches, those that do.
        likeness (`float`): of the distinct runs of all lines of the larger piece, those that the other has somewhere.
        transposition (`int`): semitones, from the first piece to the second.
        first (`np.ndarray` of shape `(notes, 2)`): onset in ticks and pitch of each note, in the first piece.
        second (`np.ndarray` of shape `(notes, 2)`): of the same notes, in the second piece.
    """

    telling: float
    leaping: float
    tuneful: float
    share: float
    share_of_piece: float
    density: float
    likeness: float
    transposition: int
    first: np.ndarray
    second: np.ndarray

    @property
    def notes(self) -> int:
        """How many notes are shared; one that is repeated at once counts once."""
        return len(self.first)

    @property
    def makes_twins(self) -> bool:
        """Whether it is more than music shares by chance, or by custom: scales, broken chords, cadences."""
        return self.makes_twins_by(NEWEST)

    def makes_twins_by(self, detector: Detector) -> bool:
        """As `makes_twins`, which is by the newest detector."""
        is_tune = self.tuneful >= TUNEFUL
        is_passage = (
            self.telling >= FEWER_RUNS
            and self.share >= SHARE_OF_LINE[is_tune]
            and self.share_of_piece >= SHARE_OF_PIECE
            and self.density >= DENSITY
        )
        is_copy = min(self.likeness, self.share) >= LIKENESS_OF_COPIES
        telling = self.telling if self.tuneful < detector.stepwise else self.leaping
        is_long = telling >= TELLING_RUNS[is_tune]
        return is_long or is_passage or is_copy


class PieceRuns:
    """
    The runs of a piece, ready to be aligned with those of others.

    Args:
        melody ([`Melody`]): of the piece.
    """

    def __init__(self, melody: Melody):
        self.melody = melody
        self.hashes, self.start = melodic_runs(melody, ALIGNED_RUN)
        self.line = melody.line[self.start]
        self.distinct = distinct(self.hashes)
        self.runs_of_line = np.bincount(self.line, minlength=len(melody.size))


def shared_melody(first: Melody, second: Melody) -> SharedMelody | None:
    """
    Aligns two pieces: the line of each that shares most with one of the other, in the order of its notes.

    Lines are aligned by their longest common subsequence of runs of melody (Hyyrö 2004, by rapidfuzz), of which the
    passage is taken that loses most by being longer or shorter, as in local alignment (Smith and Waterman 1981).
    Neither key, tempo, instrument nor notes that are repeated change it; an ornament costs the runs it is in.

    Args:
        first ([`Melody`]): of a piece.
        second ([`Melody`]): of another.

    Returns:
        [`SharedMelody`] of the pair of lines with the most telling runs; `None` where no two share runs enough to make
        twins.
    """
    return align(PieceRuns(first), PieceRuns(second))


def align(first: PieceRuns, second: PieceRuns) -> SharedMelody | None:
    """As [`shared_melody`], of pieces that are aligned with several others."""
    common = _common(first.distinct, second.distinct)
    if len(common) < FEWEST_RUNS:
        return None
    pairs = _aligned_lines(_Matching(first, common), _Matching(second, common))
    likeness = len(common) / max(len(first.distinct), len(second.distinct))
    found: SharedMelody | None = None
    for pair in pairs:
        runs, others = _densest(*pair)
        if found is None or len(distinct(first.hashes[runs])) > found.telling:  # or it cannot tell more
            shared = _shared(first, second, runs, others, likeness)
            found = shared if found is None or shared.telling > found.telling else found
    return found


def _common(numbers: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of two ascending arrays, what is in both."""
    few, many = (numbers, others) if len(numbers) < len(others) else (others, numbers)
    if not len(few):
        return few
    place = np.minimum(np.searchsorted(many, few), len(many) - 1)
    return few[many[place] == few]


class _Matching:
    """The runs of a piece that the other has too, as numbers from 0, by line."""

    def __init__(self, piece: PieceRuns, common: np.ndarray):
        place = np.minimum(np.searchsorted(common, piece.hashes), len(common) - 1)
        self.index = np.flatnonzero(common[place] == piece.hashes)
        self.number = place[self.index]
        self.line = piece.line[self.index]
        self.size = piece.runs_of_line
        self.matching = np.bincount(self.line, minlength=len(self.size))
        self.has = np.zeros((len(self.size), len(common)), np.float32)
        self.has[self.line, self.number] = 1

    def of(self, line: int) -> tuple[np.ndarray, np.ndarray]:
        """Index and number of the runs of a line."""
        chosen = np.flatnonzero(self.line == line)[:MOST_RUNS]
        return self.index[chosen], self.number[chosen]


def _aligned_lines(first: _Matching, second: _Matching) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Runs of two lines that match in order, of the pairs of lines that share the most runs."""
    shared = first.has @ second.has.T
    most = np.argsort(-shared, axis=None, kind="stable")[:MOST_LINES]
    pairs = [divmod(pair, shared.shape[1]) for pair in most.tolist()]
    pairs = [(row, column) for row, column in pairs if shared[row, column] >= FEWEST_RUNS]
    if not any(shared[pair] >= TELLING_RUNS[True] or _are_enough(first, second, *pair) for pair in pairs):
        return
    for row, column in pairs:
        (index, number), (other_index, other_number) = first.of(row), second.of(column)
        equal = [step for step in LCSseq.opcodes(number.tolist(), other_number.tolist()) if step.tag == "equal"]
        yield (
            np.concatenate([index[step.src_start : step.src_end] for step in equal]),
            np.concatenate([other_index[step.dest_start : step.dest_end] for step in equal]),
        )


def _are_enough(first: _Matching, second: _Matching, row: int, column: int) -> bool:
    """Whether runs of two lines match that could be a large share of the shorter one."""
    matching = min(first.matching[row], second.matching[column])
    return bool(matching >= SHARE_OF_LINE[True] * min(first.size[row], second.size[column]))


def _densest(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The stretch of matching runs that is worth most: each counts 1, a run skipped between two [`GAP_COST`] less."""
    skipped = np.maximum(np.diff(first), np.diff(second)) - 1
    ends = np.cumsum(np.append(1.0, 1 - GAP_COST * skipped))
    starts = np.minimum.accumulate(ends - 1)
    last = int(np.argmax(ends - starts))
    begin = int(np.argmin((ends - 1)[: last + 1]))
    return first[begin : last + 1], second[begin : last + 1]


def _shared(
    first: PieceRuns, second: PieceRuns, runs: np.ndarray, others: np.ndarray, likeness: float
) -> SharedMelody:
    matched = len(distinct(first.hashes[runs]))
    lengths = (first.runs_of_line[first.line[runs[0]]], second.runs_of_line[second.line[others[0]]])
    spans = (runs[-1] - runs[0] + 1, others[-1] - others[0] + 1)
    notes, other_notes = _notes_of(first.start[runs], second.start[others])
    passage, other_passage = _passage(first.melody, notes), _passage(second.melody, other_notes)
    tuneful = float(np.mean(np.abs(np.diff(passage[:, 1])) <= WIDEST_STEP))
    figure = is_figure(first.melody, first.start[runs], ALIGNED_RUN, by_direction=tuneful < TUNEFUL)
    by_step = goes_by_step(first.melody, first.start[runs], ALIGNED_RUN)
    telling, leaping = (
        _telling(len(distinct(first.hashes[runs[~stock]])), matched, len(runs), tuneful)
        for stock in (figure, figure | by_step)
    )
    pace = (1 + _same_rhythm(first, second, runs, others)) / 2
    return SharedMelody(
        telling=telling * pace,
        leaping=leaping * pace,
        tuneful=tuneful,
        share=float(len(runs) / min(lengths)),
        share_of_piece=matched / min(len(first.distinct), len(second.distinct)),
        density=float(len(runs) / max(spans)),
        likeness=likeness,
        transposition=int(other_passage[0, 1] - passage[0, 1]),
        first=passage,
        second=other_passage,
    )


def _telling(fresh: int, matched: int, runs: int, tuneful: float) -> int:
    """Of the distinct runs that match, those that tell: the fresh ones, and of a tune some of the others."""
    if tuneful >= TUNEFUL:
        return min(matched, (1 + FIGURES_OF_TUNE) * fresh)
    return fresh if fresh >= FRESH * runs else 0


def _same_rhythm(first: PieceRuns, second: PieceRuns, runs: np.ndarray, others: np.ndarray) -> float:
    """Share of neighbouring steps between notes that are longer or shorter in one piece by the same factor."""
    onset, other_onset = first.melody.onset[first.start[runs]], second.melody.onset[second.start[others]]
    neighbours = (np.diff(runs) == 1) & (np.diff(others) == 1)
    steps, other_steps = np.diff(onset)[neighbours], np.diff(other_onset)[neighbours]
    if len(steps) < 2:
        return 0.0
    pace = np.log2(np.maximum(steps, 1) / np.maximum(other_steps, 1))
    return float(np.mean(np.abs(np.diff(pace)) < SAME_RHYTHM))


def _notes_of(starts: np.ndarray, other_starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Notes of runs that begin with these, each once and in order in both pieces."""
    offsets = np.arange(ALIGNED_RUN + 1)
    notes, others = (starts[:, None] + offsets).ravel(), (other_starts[:, None] + offsets).ravel()
    rises = [np.diff(np.maximum.accumulate(each), prepend=-1) > 0 for each in (notes, others)]
    return notes[rises[0] & rises[1]], others[rises[0] & rises[1]]


def _passage(melody: Melody, notes: np.ndarray) -> np.ndarray:
    return np.stack([melody.onset[notes], melody.pitch[notes]], axis=1).astype(np.int64)
