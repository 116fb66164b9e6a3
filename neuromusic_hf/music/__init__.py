"""The ground: scores and MIDI files."""

from .midi_limits import UnwritableScore
from .writing import midi_bytes, write_midi

__all__ = ["UnwritableScore", "midi_bytes", "write_midi"]
