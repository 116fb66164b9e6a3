"""Whatever a user holds a piece in, as a score in ticks."""

from pathlib import Path

from symusic.core import ScoreTick

from .midi_feature import Midi, name_of
from .reading import read_unreported
from .scores import AnyScore, check_score, in_ticks

MIDI_FEATURE = Midi()


def load_score(midi: str | Path | bytes | dict | AnyScore) -> ScoreTick:
    """
    Reads a piece of music.

    Args:
        midi (`str`, `Path`, `bytes`, `dict` or [`symusic.Score`]):
            Path or content of a MIDI file, a row of a plain MIDI column
            (`{"bytes": ..., "path": ...}`, of which the path is not opened), or a score.

    Returns:
        [`symusic.Score`] in ticks, in order of time as symusic reads a file.

    Raises:
        [`RefusedFile`]: it is no music that can be read.
        `TypeError`: `midi` is none of these.
        `ValueError`: a row holds no bytes.
    """
    if isinstance(midi, AnyScore):
        check_score(midi)
        return in_ticks(midi).sort(inplace=False)  # miditok relies on the order
    stored = MIDI_FEATURE.encode_example(midi)
    if isinstance(midi, dict):
        return MIDI_FEATURE.decode_example(stored)
    return read_unreported(stored["bytes"], name_of(stored))
