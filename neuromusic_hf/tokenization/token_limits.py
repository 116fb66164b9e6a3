"""What a tokenizer has tokens for, as arrays."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import miditok
import numpy as np
from miditok import MusicTokenizer

from ..borders.miditok import writes_note_offs
from ..music.score_arrays import DRUMS

NUM_VOICES = 129
"""Instruments that a tokenizer may tell apart: drums, then the MIDI programs."""


@dataclass(frozen=True)
class TokenLimits:
    """
    What the tokens of a tokenizer can say.

    Args:
        tells_programs (`bool`): it tells instruments apart; else it writes all but drums as one.
        knows_voice (`np.ndarray` of shape `(129,)`): whether it writes notes of drums and of each MIDI program.
        writes_length (`np.ndarray` of shape `(129,)`): whether it says how long they are.
        default_length (`float`): of notes of which it does not, in beats.
        lengths (`np.ndarray` of shape `(lengths,)`): of notes and of silences, in beats, ascending.
        ends_notes (`bool`): it says when a note ends, however long it is.
        cuts_late (`bool`): lengths are cut when tokens are written, and not in what is quantised.
        onsets_per_beat (`int`): at most.
        beat_is_denominator (`bool`): of the meter; else a beat is a quarter.
        writes_meters (`bool`): there are tokens for meters.
        tempo_range (`tuple[float, float]`, *optional*): in quarter notes a minute, with half a step on either side.
        one_silence (`bool`): the time between two onsets is one token.
    """

    tells_programs: bool
    knows_voice: np.ndarray
    writes_length: np.ndarray
    default_length: float
    lengths: np.ndarray
    ends_notes: bool
    cuts_late: bool
    onsets_per_beat: int
    beat_is_denominator: bool
    writes_meters: bool
    tempo_range: tuple[float, float] | None
    one_silence: bool

    @functools.cached_property
    def gaps(self) -> np.ndarray:
        """From each length to the next, in beats."""
        return np.diff(self.lengths)

    @classmethod
    def of(cls, tokenizer: MusicTokenizer) -> TokenLimits:
        """Those of a miditok tokenizer, trained or not."""
        config = tokenizer.config
        tells_programs, is_pertok = tokenizer.one_token_stream, isinstance(tokenizer, miditok.PerTok)
        writes_length = _voices(config.use_note_duration_programs)
        return cls(
            tells_programs=tells_programs,
            knows_voice=_voices(config.programs if tells_programs else range(NUM_VOICES - 1)),
            writes_length=writes_length,
            default_length=config.default_note_duration,
            lengths=np.sort([beats + parts / resolution for beats, parts, resolution in tokenizer.durations]),
            ends_notes=writes_note_offs(tokenizer) or not tokenizer.token_ids_of_type("Duration"),
            cuts_late=is_pertok or not writes_length.all(),
            onsets_per_beat=config.max_num_pos_per_beat,
            beat_is_denominator=config.use_time_signatures and not is_pertok,
            writes_meters=config.use_time_signatures,
            tempo_range=_tempo_range(tokenizer.tempos) if config.use_tempos else None,
            one_silence=isinstance(tokenizer, miditok.Structured),
        )


def _voices(programs) -> np.ndarray:
    known = np.zeros(NUM_VOICES, bool)
    known[np.array(list(programs), int) - DRUMS] = True
    return known


def _tempo_range(tempos: np.ndarray) -> tuple[float, float]:
    tempos = np.sort(tempos)
    first, last = np.diff(tempos)[[0, -1]] / 2 if len(tempos) > 1 else (0.0, 0.0)
    return float(tempos[0] - first), float(tempos[-1] + last)
