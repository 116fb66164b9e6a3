"""The notes that stay when a span is filled in, as a tokenizer writes them: each on its side of the borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from symusic import Score
from symusic.core import ScoreTick

from ..infilling import Cut
from ..music import replace_notes
from ..music.score_arrays import ScoreArrays
from ..tokenization import MidiProcessor
from ..tokenization.arrays.places import first_of_each, place_of


def quantised_apart(
    score: ScoreTick,
    ticks: tuple[int, int],
    replaced: frozenset[int] | None,
    whole: ScoreArrays,
    cut: Cut,
    processor: MidiProcessor,
) -> ScoreArrays:
    """
    What a tokenizer writes of the notes that stay.

    Those before the span, in it and behind it are quantised apart, so that none is rounded over one of its borders,
    where it would be cut out or told at the wrong place.

    Args:
        score ([`symusic.Score`]): the piece, in ticks of its file.
        ticks (`tuple[int, int]`): of the file, where the span begins and ends.
        replaced (`frozenset[int]`, *optional*): programs whose notes are taken out; all tracks if `None`.
        whole ([`ScoreArrays`]): what the tokenizer writes of the piece; the result has its meters and tempos.
        cut ([`Cut`]): of the span, in ticks of `whole`.
        processor ([`MidiProcessor`]): of the tokenizer.

    Returns:
        [`ScoreArrays`]: perhaps without a note.
    """
    rest = ScoreArrays.of(replace_notes(score, *ticks, Score(score.tpq), replaced).score)
    side = np.searchsorted(ticks, rest.onset, side="right")
    last = [
        _last_onset_before(border, whole.meters, whole.ticks_per_quarter, processor) for border in (cut.start, cut.end)
    ]
    parts = []
    for index, (first, end) in enumerate([(0, last[0]), (cut.start, last[1]), (cut.end, None)]):
        here = rest.taken(np.flatnonzero(side == index))
        part = ScoreArrays.of(processor.quantise(here.to_score()))
        parts.append(replace(part, onset=part.onset.clip(first, end)))
    return _joined(parts, whole, processor)


def _last_onset_before(border: int, meters: np.ndarray, ticks_per_quarter: int, processor: MidiProcessor) -> int:
    """The last tick before a bar line at which a note may begin; 0 where there is none."""
    denominator = int(meters[2, max(0, np.searchsorted(meters[0], border) - 1)])
    positions = processor.music_tokenizer.config.max_num_pos_per_beat
    return max(0, border - max(1, 4 * ticks_per_quarter // (denominator * positions)))


def _joined(parts: Sequence[ScoreArrays], whole: ScoreArrays, processor: MidiProcessor) -> ScoreArrays:
    """The notes of all parts in the tracks of the whole, in order of time; a note moved onto the same one is gone."""
    track = {program: index for index, program in reversed(list(enumerate(whole.programs.tolist())))}
    tracks = [np.array([track[program] for program in part.programs.tolist()], np.int64)[part.track] for part in parts]
    names = ("onset", "duration", "pitch", "velocity")
    notes = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    joined = replace(whole, track=np.concatenate(tracks), **notes)
    if processor.music_tokenizer.config.remove_duplicated_notes:
        order = first_of_each(place_of(joined), joined.velocity, -joined.duration)
    else:
        order = np.lexsort((joined.onset, joined.track))
    return joined.taken(order).without_silent_tracks()
