"""The ground: MIDI files as music, and music as MIDI files."""

from .bars import bar_starts, meters_of, onsets
from .excerpts import excerpt, new_music
from .formats import keep_scores
from .grid import nearest_steps
from .limits import AS_STORED, SanityLimits
from .loading import load_score
from .mends import Mend
from .midi_feature import Midi
from .note_arrays import NoteArrays, gather_notes
from .reading import Reading, read_midi, tell_mends
from .refusals import RefusedFile
from .scores import AnyScore, check_score
from .tempo import DEFAULT_TEMPO, TempoMap, seconds_at
from .writable import FASTEST_TEMPO, SLOWEST_TEMPO, UnwritableScore
from .writing import midi_bytes, write_midi

__all__ = [
    "AS_STORED",
    "AnyScore",
    "DEFAULT_TEMPO",
    "FASTEST_TEMPO",
    "Mend",
    "Midi",
    "NoteArrays",
    "Reading",
    "RefusedFile",
    "SLOWEST_TEMPO",
    "SanityLimits",
    "TempoMap",
    "UnwritableScore",
    "bar_starts",
    "check_score",
    "excerpt",
    "gather_notes",
    "load_score",
    "meters_of",
    "midi_bytes",
    "nearest_steps",
    "new_music",
    "onsets",
    "read_midi",
    "seconds_at",
    "tell_mends",
    "write_midi",
]

keep_scores()
