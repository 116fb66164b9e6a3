"""What REMI, TSD and Structured of miditok do, on arrays: their very ids and music, in a fraction of the time."""

from .encoder import ArrayEncoder
from .known import BeyondArrays, tell_of_miditok, unknown_setting
from .rows import Rows

__all__ = ["ArrayEncoder", "BeyondArrays", "Rows", "tell_of_miditok", "unknown_setting"]
