"""What REMI, TSD and Structured of miditok do, on arrays: their very ids and music, in a fraction of the time."""

from .encoder import ArrayEncoder
from .known import unknown_setting
from .rows import Rows

__all__ = ["ArrayEncoder", "Rows", "unknown_setting"]
