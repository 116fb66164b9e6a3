"""Pictures and sound of scores."""

from .audio import RELEASE_SECONDS, read_audio, render_audio, save_audio
from .piano_roll import plot_piano_roll

__all__ = ["RELEASE_SECONDS", "plot_piano_roll", "read_audio", "render_audio", "save_audio"]
