"""Whatever a user holds a piece in, as a score in ticks."""

from pathlib import Path

from symusic.core import ScoreTick

from ..corpora.midi_feature import SCORE_TYPES, Midi
from ..music import RefusedFile
from ..music.unwrapping import unwrap_riff

MIDI_FEATURE = Midi()


def load_score(midi: str | Path | bytes | dict | ScoreTick) -> ScoreTick:
    """
    Reads a piece of music.

    Args:
        midi (`str`, `Path`, `bytes`, `dict` or [`symusic.Score`]):
            Path or content of a MIDI file (also RIFF-wrapped), a row of a plain MIDI column
            (`{"bytes": ..., "path": ...}`, of which the path is not opened), or a score.

    Returns:
        [`symusic.Score`] in ticks, in order of time as symusic reads a file.

    Raises:
        `RuntimeError`: the content is not readable MIDI.
        `TypeError`: `midi` is none of these.
        `ValueError`: a row holds no bytes.
    """
    if isinstance(midi, SCORE_TYPES):
        return midi.to("tick").sort(inplace=False)  # miditok relies on the order
    stored = MIDI_FEATURE.encode_example(midi)
    try:
        stored["bytes"] = unwrap_riff(stored["bytes"])
    except RefusedFile as error:
        name = stored["path"] or "(bytes without a path)"
        raise RuntimeError(f"Cannot read the MIDI file {name}: {error.detail}") from error
    return MIDI_FEATURE.decode_example(stored)
