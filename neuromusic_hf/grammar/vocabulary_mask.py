"""The ids that restrict a piece to some programs and pitches, or to one tempo."""

from collections.abc import Collection

import numpy as np

from ..tokenization.token_limits import DRUMS
from .base_tokens import BaseTokens


def mask_vocabulary(
    tokens: BaseTokens,
    allowed_programs: Collection[int] | None,
    drums: bool | None,
    pitch_range: tuple[int, int] | None,
    tempo: float | None,
) -> np.ndarray:
    """The ids that expand to nothing else: `bool` of shape `(vocabulary,)`. As [`TokenGrammar.vocabulary_mask`]."""
    programs, pitches, tempos = (_by_value(tokens, kind) for kind in ("Program", "Pitch", "Tempo"))
    allowed = np.ones(len(tokens.words), dtype=bool)
    wanted_programs = _wanted_programs(set(programs), allowed_programs, drums)
    allowed[[column for program, column in programs.items() if program not in wanted_programs]] = False
    low, high = (-np.inf, np.inf) if pitch_range is None else pitch_range
    outside = [column for pitch, column in pitches.items() if not low <= pitch <= high]
    only_drums = wanted_programs == {DRUMS} and tokens.of("PitchDrum").any()
    if len(outside) == len(pitches) and not only_drums:
        raise ValueError(f"No pitch of the tokenizer lies in pitch_range={pitch_range}.")
    allowed[outside] = False
    if tempo is not None:
        if tempo not in tempos:
            raise ValueError(f"No token for tempo={tempo}: there are {sorted(tempos) or 'none of tempos'}.")
        allowed[[column for value, column in tempos.items() if value != tempo]] = False
    return allowed[tokens.expansions].all(axis=1)


def _wanted_programs(known: set[float], allowed: Collection[int] | None, drums: bool | None) -> set[float]:
    wanted = set(known if allowed is None else allowed)
    if drums is not None:
        wanted = wanted | {DRUMS} if drums else wanted - {DRUMS}
    if not wanted <= known or (known and not wanted):
        raise ValueError(f"No music for the programs {sorted(wanted)}: there are {sorted(known)}.")
    return wanted


def _by_value(tokens: BaseTokens, kind: str) -> dict[float, int]:
    """Columns of a type of token, by the number that the token says."""
    number = float if kind == "Tempo" else int
    return {number(tokens.values[column]): column for column in tokens.columns(kind)}
