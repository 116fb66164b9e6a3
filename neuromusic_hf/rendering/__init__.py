"""Pictures and sound of scores."""

from .audio import RELEASE_SECONDS, read_audio, render_audio, save_audio
from .passages import Passage, plot_passages
from .piano_roll import plot_piano_roll

__all__ = [
    "RELEASE_SECONDS",
    "Passage",
    "plot_passages",
    "plot_piano_roll",
    "read_audio",
    "render_audio",
    "save_audio",
]
