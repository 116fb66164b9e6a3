"""What REMI, TSD and Structured of miditok do, on arrays: their very ids and music, in a fraction of the time."""

from .known import unknown_setting

__all__ = ["unknown_setting"]
