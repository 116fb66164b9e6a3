"""Whatever a user holds a piece in, as a score in ticks."""

from pathlib import Path

from symusic.core import ScoreTick

from ..corpora.midi_feature import SCORE_TYPES, Midi

MIDI_FEATURE = Midi()


def load_score(midi: str | Path | bytes | dict | ScoreTick) -> ScoreTick:
    """
    Reads a piece of music.

    Args:
        midi (`str`, `Path`, `bytes`, `dict` or [`symusic.Score`]):
            Path or content of a MIDI file, a row of a plain MIDI column (`{"bytes": ..., "path": ...}`), or a score.

    Returns:
        [`symusic.Score`] in ticks.

    Raises:
        `RuntimeError`: the content is not readable MIDI.
        `TypeError`: `midi` is none of these.
    """
    if isinstance(midi, SCORE_TYPES):
        return midi.to("tick")
    return MIDI_FEATURE.decode_example(MIDI_FEATURE.encode_example(midi))
