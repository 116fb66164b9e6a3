"""Pieces that share their melody, whatever their key, tempo, voicing and instruments: twins, and families of them."""

from .alignment import SharedMelody, shared_melody
from .families import families
from .finding import Twin, find_twins
from .melodies import NO_MELODY, Melody, melody_of

__all__ = ["NO_MELODY", "Melody", "SharedMelody", "Twin", "families", "find_twins", "melody_of", "shared_melody"]
