"""Whether a tokenizer writes music in order of time, as a piece must be to be cut."""

import numpy as np
from symusic.core import NoteTick, ScoreTick, TrackTick

from ..music.score_arrays import DRUMS, ScoreArrays
from ..tokenization import MidiProcessor
from ..tokenization.one_stream import is_solo


def check_time_order(processor: MidiProcessor):
    """Raises `ValueError` where a processor does not write music in order of time, so that no middle is one part."""
    if not writes_in_time_order(processor):
        raise ValueError(
            f"This {processor.tokenization} writes one track after the other, and not in order of time, so that no "
            "bars can be cut out of what it writes and filled in. Take a tokenizer that mixes tracks, as REMI, TSD "
            "and Structured do; or train to continue alone, with infill_share=0."
        )


def writes_in_time_order(processor: MidiProcessor) -> bool:
    """Whether it does, of two tracks that play at once: one of a tokenizer of solo pieces."""
    tokenizer = processor.music_tokenizer
    quarter, program, pitch = tokenizer.time_division, max(tokenizer.config.programs), tokenizer.config.pitch_range[0]
    score = ScoreTick(quarter)
    for _ in range(1 if is_solo(tokenizer) else 2):
        track = TrackTick("", max(program, 0), program == DRUMS)
        for bar in range(2):
            track.notes.append(NoteTick(4 * bar * quarter, quarter, pitch + len(score.tracks), 80))
        score.tracks.append(track)
    piece = ScoreArrays.of(processor.quantise(score))
    return not len(piece) or not (np.diff(processor.encoder.timed_tokens(piece).leads_to) < 0).any()
