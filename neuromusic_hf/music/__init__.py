"""The ground: MIDI files as music, and music as MIDI files."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .bars import bar_starts as bar_starts
    from .bars import meters_of as meters_of
    from .bars import onsets as onsets
    from .editing import edit_midi as edit_midi
    from .excerpts import excerpt as excerpt
    from .excerpts import new_music as new_music
    from .formats import keep_scores as keep_scores
    from .grid import nearest_steps as nearest_steps
    from .grid import resampled as resampled
    from .limits import AS_STORED as AS_STORED
    from .limits import SanityLimits as SanityLimits
    from .loading import load_score as load_score
    from .mends import Mend as Mend
    from .midi_feature import Midi as Midi
    from .note_arrays import NoteArrays as NoteArrays
    from .note_arrays import gather_notes as gather_notes
    from .reading import Reading as Reading
    from .reading import read_midi as read_midi
    from .reading import tell_mends as tell_mends
    from .refusals import RefusedFile as RefusedFile
    from .replacing import Replaced as Replaced
    from .replacing import replace_notes as replace_notes
    from .scores import AnyScore as AnyScore
    from .scores import check_score as check_score
    from .tempo import DEFAULT_TEMPO as DEFAULT_TEMPO
    from .tempo import TempoMap as TempoMap
    from .tempo import seconds_at as seconds_at
    from .writable import FASTEST_TEMPO as FASTEST_TEMPO
    from .writable import SLOWEST_TEMPO as SLOWEST_TEMPO
    from .writable import UnwritableScore as UnwritableScore
    from .writing import midi_bytes as midi_bytes
    from .writing import write_midi as write_midi
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
