"""The ground: MIDI files as music, and music as MIDI files."""

from .limits import SanityLimits
from .mends import Mend
from .reading import Reading, read_midi, tell_mends
from .refusals import RefusedFile
from .tempo import DEFAULT_MICROSECONDS_PER_QUARTER, tempo_map, to_seconds

__all__ = [
    "DEFAULT_MICROSECONDS_PER_QUARTER",
    "Mend",
    "Reading",
    "RefusedFile",
    "SanityLimits",
    "read_midi",
    "tell_mends",
    "tempo_map",
    "to_seconds",
]
