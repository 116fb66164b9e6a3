"""The ground: MIDI files as music, and music as MIDI files."""

from .limits import SanityLimits
from .refusals import RefusedFile
from .tempo import DEFAULT_MICROSECONDS_PER_QUARTER, to_seconds

__all__ = ["DEFAULT_MICROSECONDS_PER_QUARTER", "RefusedFile", "SanityLimits", "to_seconds"]
