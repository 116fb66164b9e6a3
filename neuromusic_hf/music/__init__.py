"""The ground: MIDI files as music, and music as MIDI files."""

from .bars import bar_starts, onsets
from .limits import SanityLimits
from .refusals import RefusedFile
from .tempo import DEFAULT_MICROSECONDS_PER_QUARTER, to_seconds
from .writable import UnwritableScore
from .writing import midi_bytes, write_midi

__all__ = [
    "DEFAULT_MICROSECONDS_PER_QUARTER",
    "RefusedFile",
    "SanityLimits",
    "UnwritableScore",
    "bar_starts",
    "midi_bytes",
    "onsets",
    "to_seconds",
    "write_midi",
]
