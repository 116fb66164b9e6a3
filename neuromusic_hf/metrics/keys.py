"""The key of a piece, as music21 finds it by default: profiles of pitch classes, without music21."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

PROFILES = {
    mode: np.array(weights.split(), dtype=np.float64)
    for mode, weights in (
        ("major", "17.7661 .145624 14.9265 .160186 19.8049 11.3587 .291248 22.062 .145624 8.15494 .232998 4.95122"),
        ("minor", "18.2648 .737619 14.0499 16.8599 .702494 14.4362 .702494 18.6161 4.56621 1.93186 7.37619 1.75623"),
    )
}
"""Weights of the twelve pitch classes from the tonic up: those of Aarden 2003 that music21 uses by default."""

TONIC_NAMES = {
    "major": ("C", "C#", "D", "E-", "E", "F", "F#", "G", "A-", "A", "B-", "B"),
    "minor": ("c", "c#", "d", "e-", "e", "f", "f#", "g", "g#", "a", "b-", "b"),
}
"""How music21 spells the tonics it finds; `-` is a flat."""

_DECIMALS = 10
"""Shares and correlations closer than this differ by rounding only."""


@dataclass(frozen=True)
class Key:
    """
    A key.

    Args:
        tonic (`int`): pitch class, 0 (C) to 11 (B).
        mode (`str`): `"major"` or `"minor"`.
    """

    tonic: int
    mode: Literal["major", "minor"]

    def __str__(self) -> str:
        return f"{TONIC_NAMES[self.mode][self.tonic]} {self.mode}"


KEYS = tuple(Key(tonic, mode) for tonic in range(12) for mode in ("major", "minor"))
"""All keys, in the order in which the later one wins where two fit alike (music21's rule)."""


def best_key(pitch_classes: np.ndarray) -> Key:
    """
    The key whose profile correlates best with how long each pitch class sounds (Krumhansl and Schmuckler's method).

    Args:
        pitch_classes (`np.ndarray` of shape `(12,)`): from C to B, in any unit of time.

    Returns:
        [`Key`]: B minor where all sound equally long, as nothing tells keys apart.
    """
    deviations = np.round(pitch_classes / pitch_classes.sum() - 1 / 12, _DECIMALS)
    correlations = np.round(_KEY_PROFILES @ deviations / (np.linalg.norm(deviations) or 1.0), _DECIMALS)
    return KEYS[len(KEYS) - 1 - int(np.argmax(correlations[::-1]))]


def _key_profiles() -> np.ndarray:
    """Deviations from the mean, of length 1: shape `(keys, 12)`."""
    profiles = np.array([np.roll(PROFILES[key.mode], key.tonic) for key in KEYS])
    profiles -= profiles.mean(axis=1, keepdims=True)
    return profiles / np.linalg.norm(profiles, axis=1, keepdims=True)


_KEY_PROFILES = _key_profiles()
