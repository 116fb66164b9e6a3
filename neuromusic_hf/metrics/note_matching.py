"""How many notes of two passages are the same."""

import numpy as np
from symusic.core import ScoreTick

from ..music import NoteArrays, gather_notes

ONSET_TOLERANCE = 1 / 8
"""Quarter notes: half a sixteenth, so that the grid of a tokenizer counts as right, and a sixteenth off as wrong."""

OFFSET_RATIO = 0.2
"""Of a note's length, that its end may be off; or [`ONSET_TOLERANCE`], if that is more."""

HALF_A_SEMITONE = 50.0
"""Cents: MIDI pitches agree, or do not."""


def note_f1(
    reference: ScoreTick, estimate: ScoreTick, *, offsets: bool = False, tolerance: float = ONSET_TOLERANCE
) -> float:
    """
    F1 of the notes of a passage against those of another, as transcriptions are judged (mir_eval, Raffel et al. 2014).

    Two notes are the same if they are of one program, have one pitch and begin together. Each note is matched once, as
    many as can be. Times are in quarter notes, whatever the tempo. Drums have no ends that are heard: theirs are never
    compared.

    Args:
        reference ([`symusic.Score`]): in ticks.
        estimate ([`symusic.Score`]): in ticks, others if need be.
        offsets (`bool`, *optional*, defaults to `False`): whether they must end together, too.
        tolerance (`float`, *optional*, defaults to 1/8): quarter notes between onsets that are together.

    Returns:
        `float`: 0 to 1; 1 where neither has a note, 0 where one of them has none.

    Raises:
        `ValueError`: `tolerance` is not above 0.

    Example:
    ```py
    >>> from symusic import Note, Score, Track
    >>> from neuromusic_hf.metrics import note_f1
    >>> def melody(*pitches):
    ...     score = Score(480)
    ...     score.tracks.append(Track())
    ...     score.tracks[0].notes.extend(Note(480 * beat, 480, pitch, 64) for beat, pitch in enumerate(pitches))
    ...     return score
    >>> note_f1(melody(60, 62, 64, 65), melody(60, 62, 63))
    0.5714285714285714
    ```
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance={tolerance} must be above 0 quarter notes.")
    notes = gather_notes(reference), gather_notes(estimate)
    if not all(map(len, notes)):
        return float(len(notes[0]) == len(notes[1]))
    first, second = (_keys(each) for each in notes)
    matched = sum(
        _count_matched(
            _taken(notes[0], first == key, reference.ticks_per_quarter),
            _taken(notes[1], second == key, estimate.ticks_per_quarter),
            tolerance,
            offsets and key >= 0,
        )
        for key in np.intersect1d(first, second).tolist()
    )
    return 2 * matched / (len(notes[0]) + len(notes[1]))


def _keys(notes: NoteArrays) -> np.ndarray:
    """A number of each note, which those of one program and pitch share; that of drums is negative."""
    return np.where(notes.is_drum, notes.pitch - 128, notes.program * 128 + notes.pitch)


def _taken(notes: NoteArrays, chosen: np.ndarray, ticks_per_quarter: int) -> tuple[np.ndarray, np.ndarray]:
    """Beginning and end of some notes in quarter notes, of shape `(notes, 2)`, and their pitches in Hertz."""
    onset, duration = notes.onset[chosen], np.maximum(notes.duration[chosen], 1)
    ends = np.stack([onset, onset + duration], axis=1) / ticks_per_quarter
    return ends, 440.0 * 2.0 ** ((notes.pitch[chosen] - 69) / 12)


def _count_matched(
    reference: tuple[np.ndarray, np.ndarray],
    estimate: tuple[np.ndarray, np.ndarray],
    tolerance: float,
    offsets: bool,
) -> int:
    """How many pairs there are at most of notes of one program and pitch, which keeps what is compared small."""
    from mir_eval.transcription import match_notes  # slow to import

    return len(
        match_notes(
            *reference,
            *estimate,
            onset_tolerance=tolerance,
            pitch_tolerance=HALF_A_SEMITONE,
            offset_ratio=OFFSET_RATIO if offsets else None,
            offset_min_tolerance=tolerance,
        )
    )
