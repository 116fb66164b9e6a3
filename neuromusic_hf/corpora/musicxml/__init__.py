"""
MusicXML as music21 plays it, many times as fast: what the Bach works in music21's wheel hold, and no more.

[`read_work`] gives the very MIDI file that music21 writes. What it does not know for certain is a [`BeyondReader`], so
that music21 itself can read the work.
"""

from .reading import BeyondReader
from .work import Work, read_work

__all__ = ["BeyondReader", "Work", "read_work"]
