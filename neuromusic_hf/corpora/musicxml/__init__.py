"""
MusicXML as music21 plays it, tens of times as fast: what the Bach works in music21's wheel hold, and no more.

[`midi_of`] gives the very bytes that music21 writes. What it does not know for certain is a [`BeyondReader`], so that
music21 itself can read the work.
"""

from .archive import Work, open_work
from .reading import BeyondReader
from .sequencing import midi_of

__all__ = ["BeyondReader", "Work", "midi_of", "open_work"]
