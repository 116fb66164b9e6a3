"""
MusicXML as music21 plays it, many times as fast: what the works of Bach and Monteverdi in its wheel hold, and no more.

[`read_work`] gives the very MIDI file that music21 writes. What it does not know for certain is a [`BeyondReader`], so
that music21 itself can read the work.

It was held against music21 9.9.0 and 10.5.1 on all 408 works of Bach of each, and against 10.5.1 on the 42 madrigals:
they write the same files. Chord symbols, which music21 plays as chords without end, are left out of both.
"""

from .reading import BeyondReader
from .work import Work, read_work, refuse_rights

NEWEST_PROVED = (10, 5, 1)
"""The newest version of music21 whose files are known to be these; `benchmarks/bach_reader.py` compares them."""

__all__ = ["NEWEST_PROVED", "BeyondReader", "Work", "read_work", "refuse_rights"]
