"""Which bars of a piece are infilled, and which program, where chance decides."""

import random
from collections.abc import Collection, Sequence

import numpy as np
from symusic.core import ScoreTick

from ..music import RefusedFile, bar_starts, gather_notes
from ..music.score_arrays import DRUMS


def draw_span(
    score: ScoreTick, bars: int, seed: int | str, programs: Collection[int] | None = None
) -> tuple[int, int]:
    """
    Draws bars of a piece in which notes begin, and around which there is music.

    Args:
        score ([`symusic.Score`]): the piece, in ticks.
        bars (`int`): how many.
        seed (`int` or `str`): the same gives the same bars.
        programs (collection of `int`, *optional*):
            MIDI programs of which a note must begin in them, -1 for drums; any if not given.

    Returns:
        `tuple[int, int]`: the first and the end (exclusive), from 0. The bars in which the piece's first note and its
            last note begin are before and after them.

    Raises:
        [`RefusedFile`]: the piece is too short (`no_span`), or lacks such notes (`no_notes`).
    """
    lines = bar_starts(score)
    onsets, of_note = _onsets(score)
    if len(onsets) == 0:
        raise RefusedFile("no_notes", "no note begins in it")
    first = int(np.searchsorted(lines, onsets.min(), side="right"))  # the bar after that of the first note
    starts = range(first, len(lines) - bars)
    if not starts:
        raise RefusedFile(
            "no_span",
            f"{len(lines) - first + 1} bars from its first note to its last: {bars} in the middle need {bars + 2}",
        )
    wanted = onsets if programs is None else onsets[np.isin(of_note, list(programs))]
    counts = np.searchsorted(np.sort(wanted), lines)
    candidates = [start for start in starts if counts[start + bars] > counts[start]]
    if not candidates:
        told = "" if programs is None else f" of the programs {sorted(programs)}"
        raise RefusedFile("no_notes", f"no note{told} begins between its first and its last bar")
    start = random.Random(f"span {seed}").choice(candidates)
    return start, start + bars


def draw_program(
    score: ScoreTick, spans: Sequence[tuple[int, int]], seed: int | str, programs: Collection[int] | None = None
) -> int:
    """
    Draws one of the programs of which notes begin in bars of a piece.

    Args:
        score ([`symusic.Score`]): the piece, in ticks.
        spans (sequence of `tuple[int, int]`): first bar and end (exclusive) of each, from 0.
        seed (`int` or `str`): the same gives the same program.
        programs (collection of `int`, *optional*): to choose among; any if not given.

    Returns:
        `int`: a MIDI program, -1 for drums.

    Raises:
        [`RefusedFile`]: no note of them begins there (`no_notes`).
    """
    lines = bar_starts(score)
    onsets, of_note = _onsets(score)
    number = np.searchsorted(lines, onsets, side="right") - 1
    found = {program for first, end in spans for program in of_note[(number >= first) & (number < end)].tolist()}
    candidates = sorted(found if programs is None else found & set(programs))
    if not candidates:
        told = "" if programs is None else f" of the programs {sorted(programs)}"
        raise RefusedFile("no_notes", f"no note{told} begins in bars {list(spans)}, counted from 0")
    return random.Random(f"program {seed}").choice(candidates)


def _onsets(score: ScoreTick) -> tuple[np.ndarray, np.ndarray]:
    """When notes begin, and their programs."""
    notes = gather_notes(score)
    return notes.onset, np.where(notes.is_drum, DRUMS, notes.program)
