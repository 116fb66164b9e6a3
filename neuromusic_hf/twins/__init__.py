"""Pieces that share their melody, whatever their key, tempo, voicing and instruments: twins, and families of them."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .alignment import SharedMelody as SharedMelody
    from .alignment import shared_melody as shared_melody
    from .finding import Twin as Twin
    from .finding import find_twins as find_twins
    from .grouping import families as families
    from .melodies import NO_MELODY as NO_MELODY
    from .melodies import Melody as Melody
    from .melodies import melody_of as melody_of
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
