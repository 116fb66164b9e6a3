"""What anyone could put into a span without a model that infills."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from symusic.core import ScoreTick

from ..music import RefusedFile, bar_starts, excerpt, onsets
from ..music.score_arrays import FAR, ScoreArrays
from .judged_spans import JudgedSpan

MOST_OTHER_PIECES = 20
"""That are looked through for the programs of a span."""

PROMPT_LENGTH = 256
"""Tokens."""

MOST_QUARTERS_OFF = 1 / 2
"""From its last onset, that the quantised beginning of a piece may end earlier or later."""


def copy_before(span: JudgedSpan) -> ScoreTick:
    """
    The bars before a span once more: as many as it has, or those there are, again and again.

    Args:
        span ([`JudgedSpan`]): to fill.

    Returns:
        [`symusic.Score`]: notes of its programs in the ticks of its piece, the span's start at tick 0.

    Raises:
        `RefusedFile`: it begins with the piece (`no_bar_before`).
    """
    bars = span.before(span.num_bars)
    if len(bars) < 2:
        raise RefusedFile("no_bar_before", "the span begins with the piece")
    return _laid_out(ScoreArrays.of(span.piece), bars, span)


def take_elsewhere(span: JudgedSpan, others: Sequence[ScoreTick], random: np.random.Generator) -> ScoreTick:
    """
    Bars of another piece, in its own key: as many as the span has, from a bar that is drawn.

    Of pieces drawn one after the other, the first counts that has so many bars and a program of the span; of a span of
    all tracks, the first that has so many bars, with its own programs.

    Args:
        span ([`JudgedSpan`]): to fill.
        others (sequence of [`symusic.Score`]): pieces in ticks, the span's own among them or not.
        random (`np.random.Generator`): of the draws.

    Returns:
        [`symusic.Score`]: as of [`copy_before`].

    Raises:
        `RefusedFile`: none of the first twenty that are drawn will do (`no_other_piece`).
    """
    drawn = [others[index] for index in random.permutation(len(others)) if others[index] is not span.piece]
    for other in drawn[:MOST_OTHER_PIECES]:
        bars = bar_starts(other)
        arrays = ScoreArrays.of(other)
        plays = span.programs is None or bool(span.programs & set(arrays.programs[arrays.track].tolist()))
        if plays and len(bars) > span.num_bars:
            first = int(random.integers(len(bars) - span.num_bars))
            return _laid_out(*_in_ticks_of(span, arrays, bars[first : first + span.num_bars + 1]), span)
    raise RefusedFile("no_other_piece", f"none of {len(drawn[:MOST_OTHER_PIECES])} pieces has its programs and bars")


def continue_only(
    spans: Sequence[JudgedSpan],
    continuation: Callable[..., list[dict]],
    prompt_length: int = PROMPT_LENGTH,
    **arguments,
) -> list[ScoreTick | RefusedFile]:
    """
    How a model goes on after the bars before each span, knowing neither what follows nor what is given beside it.

    Of all it writes, the notes of the span's programs count.

    Args:
        spans (sequence of [`JudgedSpan`]): to fill.
        continuation ([`MidiContinuationPipeline`]): writes.
        prompt_length (`int`, *optional*, defaults to 256): tokens before the span; the whole bars that fit in them.
        arguments: of the pipeline: `seed`, `batch_size`, `max_new_tokens`.

    Returns:
        For each span a [`symusic.Score`] as of [`copy_before`], or [`RefusedFile`]: nothing precedes it
        (`no_notes`), not one whole bar fits (`prompt_too_long`), or the pipeline skips it.
    """
    found: list[ScoreTick | RefusedFile] = [RefusedFile("no_notes", "nothing precedes the span")] * len(spans)
    prefixes = [excerpt(span.piece, 0, span.start) for span in spans]
    by_length: dict[int, list[int]] = {}
    for index, (span, prefix) in enumerate(zip(spans, prefixes, strict=True)):
        if prefix.note_num():
            by_length.setdefault(_silent_bars(span, prefix) + span.num_bars, []).append(index)
    for bars, indices in by_length.items():
        asked = {"prompt_length": prompt_length, "prompt_from": "end", "max_new_bars": bars, **arguments}
        for index, result in zip(indices, continuation([prefixes[index] for index in indices], **asked), strict=True):
            found[index] = _continued(spans[index], prefixes[index], result)
    return found


def _silent_bars(span: JudgedSpan, prefix: ScoreTick) -> int:
    """Between the last bar of the prefix in which something begins and the span."""
    return len(span.before(FAR)) - 1 - len(bar_starts(prefix))


def _continued(span: JudgedSpan, prefix: ScoreTick, result: dict) -> ScoreTick | RefusedFile:
    if result["midi"] is None:
        return RefusedFile(**result["skipped"])
    arrays = ScoreArrays.of(result["midi"])
    end = int(arrays.onset.max()) + 1
    lines = bar_starts(result["midi"], end)
    first = len(bar_starts(result["prompt"])) + _silent_bars(span, prefix)
    bars = np.append(lines, [end, end])[first : first + span.num_bars + 1]
    if len(bars) < 2:
        return ScoreTick(span.piece.ticks_per_quarter)
    until_span = (span.start - onsets(prefix)[-1]) / span.piece.ticks_per_quarter
    heard = (bars[0] - onsets(result["prompt"])[-1]) / arrays.ticks_per_quarter
    if first < len(lines) and abs(until_span - heard) > MOST_QUARTERS_OFF:
        return RefusedFile("prompt_too_long", "not one whole bar fits in the prompt")
    return _laid_out(*_in_ticks_of(span, arrays, bars), span, repeat=False)


def _in_ticks_of(span: JudgedSpan, arrays: ScoreArrays, bars: np.ndarray) -> tuple[ScoreArrays, np.ndarray]:
    """Another piece and some of its bar lines, in the ticks of the span's."""
    ratio = span.piece.ticks_per_quarter / arrays.ticks_per_quarter
    onset = np.rint(arrays.onset * ratio).astype(np.int64)
    duration = np.maximum(np.rint(arrays.duration * ratio).astype(np.int64), 1)
    scaled = replace(arrays, ticks_per_quarter=span.piece.ticks_per_quarter, onset=onset, duration=duration)
    return scaled, np.rint(bars * ratio).astype(np.int64)


def _laid_out(source: ScoreArrays, bars: np.ndarray, span: JudgedSpan, repeat: bool = True) -> ScoreTick:
    """
    Bars of a piece, one on each bar of the span: again and again where they are fewer, or with silence after them.

    A note that would begin after its bar has ended, as the piece's bars are longer, is left out; notes are whole.

    Args:
        source ([`ScoreArrays`]): in the ticks of the span's piece.
        bars (`np.ndarray` of shape `(bars + 1,)`): the lines of its bars.
        span ([`JudgedSpan`]): to fill.
        repeat (`bool`, *optional*, defaults to `True`): whether they are repeated.
    """
    if span.programs is not None:
        source = source.taken(np.flatnonzero(np.isin(source.programs, list(span.programs))[source.track]))
    pairs = list(pairwise(bars.tolist()))
    notes, onset = [], []
    for number, (start, end) in enumerate(pairwise(span.bars.tolist())):
        if number >= len(pairs) and not repeat:
            break
        begin, finish = pairs[number % len(pairs)]
        notes.append(np.flatnonzero((source.onset >= begin) & (source.onset < min(finish, begin + end - start))))
        onset.append(source.onset[notes[-1]] - begin + start - span.start)
    moved = replace(source.taken(np.concatenate(notes)), onset=np.concatenate(onset))
    ordered = moved.taken(np.lexsort((moved.onset, moved.track)))
    own = ScoreArrays.of(span.removed)
    return replace(ordered, meters=own.meters, tempos=own.tempos).without_silent_tracks().to_score()
