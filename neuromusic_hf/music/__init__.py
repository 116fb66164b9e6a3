"""The ground: scores and MIDI files."""

from .writable import UnwritableScore
from .writing import midi_bytes, write_midi

__all__ = ["UnwritableScore", "midi_bytes", "write_midi"]
