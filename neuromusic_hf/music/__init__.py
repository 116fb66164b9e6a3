"""The ground: MIDI files as music, and music as MIDI files."""

from .bars import bar_starts, meters_of, onsets
from .excerpts import excerpt, new_music, seconds_at
from .formats import keep_scores
from .limits import AS_STORED, SanityLimits
from .loading import load_score
from .mends import Mend
from .midi_feature import Midi
from .reading import Reading, read_midi, read_score, tell_mends
from .refusals import RefusedFile
from .score_check import check_score
from .tempo import DEFAULT_MICROSECONDS_PER_QUARTER, tempo_map, to_seconds
from .writable import FASTEST_TEMPO, SLOWEST_TEMPO, UnwritableScore
from .writing import midi_bytes, write_midi

__all__ = [
    "AS_STORED",
    "DEFAULT_MICROSECONDS_PER_QUARTER",
    "FASTEST_TEMPO",
    "Mend",
    "Midi",
    "Reading",
    "RefusedFile",
    "SLOWEST_TEMPO",
    "SanityLimits",
    "UnwritableScore",
    "bar_starts",
    "check_score",
    "excerpt",
    "load_score",
    "meters_of",
    "midi_bytes",
    "new_music",
    "onsets",
    "read_midi",
    "read_score",
    "seconds_at",
    "tell_mends",
    "tempo_map",
    "to_seconds",
    "write_midi",
]

keep_scores()
