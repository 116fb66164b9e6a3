"""
A piece as one stream of ids, by miditok tokenizers that name programs and by those of a single instrument.

Without `use_programs` miditok writes a stream a track, and none says what plays it: such a tokenizer is one of solo
pieces. A piece is one stream of it once its tracks are one, as the two hands of a pianist are.
"""

import functools
import logging
from collections.abc import Sequence

from miditok import MusicTokenizer, TokSequence
from symusic import Score, Track
from symusic.core import ScoreTick

from .preparing import prepare

logger = logging.getLogger(__name__)


def quantise(tokenizer: MusicTokenizer, score: ScoreTick) -> ScoreTick:
    """
    What of a score the tokenizer writes, in its own ticks: miditok's preprocessing of what [`prepare`] made of it.

    A tokenizer of solo pieces writes one track: tracks are merged, and drums left out, which is logged once.
    """
    score = _as_solo(tokenizer, score) if is_solo(tokenizer) else score
    return tokenizer.preprocess_score(prepare(tokenizer, score))


def encode_quantised(tokenizer: MusicTokenizer, quantised: ScoreTick, *, encode_ids: bool = True) -> TokSequence:
    """Miditok's sequence of what [`quantise`] gave; of base tokens where not `encode_ids`."""
    encoded = tokenizer.encode(quantised, encode_ids=encode_ids, no_preprocess_score=True)
    return encoded[0] if is_solo(tokenizer) else encoded


def decode_ids(tokenizer: MusicTokenizer, ids: Sequence[int]) -> ScoreTick:
    """The score that ids of music stand for; of a tokenizer of solo pieces it is played by a piano."""
    if not ids:
        return Score(tokenizer.time_division)
    sequence = TokSequence(ids=list(ids), are_ids_encoded=tokenizer.is_trained)
    return tokenizer.decode([sequence] if is_solo(tokenizer) else sequence)


def is_solo(tokenizer: MusicTokenizer) -> bool:
    """Whether it writes pieces of one instrument, and does not say which."""
    return not tokenizer.one_token_stream


def tell_of_solo(tokenizer: MusicTokenizer, score: ScoreTick) -> None:
    """Says once that a tokenizer of solo pieces makes one track of a score, or leaves drums out."""
    if is_solo(tokenizer):
        playing = [track for track in score.tracks if len(track.notes)]
        if len(playing) > 1 or any(track.is_drum for track in playing):
            _warn_of_solo(type(tokenizer).__name__)


def _as_solo(tokenizer: MusicTokenizer, score: ScoreTick) -> ScoreTick:
    tell_of_solo(tokenizer, score)
    pitched = [track for track in score.tracks if len(track.notes) and not track.is_drum]
    solo = score.copy()
    solo.tracks = [_merged(pitched)] if pitched else []
    return solo


def _merged(tracks: list) -> Track:
    """One track of a piano."""
    merged = Track(name=tracks[0].name)
    for track in tracks:
        for kind in ("notes", "pedals", "pitch_bends", "controls"):
            getattr(merged, kind).extend(getattr(track.copy(), kind))
    return merged.sort(inplace=False)


@functools.cache
def _warn_of_solo(name: str):
    logger.warning(
        "This %s names no programs: tracks are merged into one, and drums are left out. (Said once; MidiProcessor."
        "encode_score counts the notes that are kept of a piece.)",
        name,
    )
