"""What REMI, TSD and Structured of miditok do, on arrays: their very ids and music, in a fraction of the time."""

from .encoding import Encoder
from .known import unknown_setting
from .quantising import Quantiser
from .vocabulary import Vocabulary

__all__ = ["Encoder", "Quantiser", "Vocabulary", "unknown_setting"]
