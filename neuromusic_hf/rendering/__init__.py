from .audio import RELEASE_SECONDS, render_audio, save_audio
from .piano_roll import plot_piano_roll

__all__ = ["RELEASE_SECONDS", "plot_piano_roll", "render_audio", "save_audio"]
