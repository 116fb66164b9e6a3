"""Pictures and sound of scores."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .audio import RELEASE_SECONDS as RELEASE_SECONDS
    from .audio import read_audio as read_audio
    from .audio import render_audio as render_audio
    from .audio import save_audio as save_audio
    from .infill_roll import plot_infill as plot_infill
    from .passages import Passage as Passage
    from .passages import plot_passages as plot_passages
    from .piano_roll import plot_piano_roll as plot_piano_roll
    from .stacked_rolls import plot_versions as plot_versions
    from .window_sound import render_windows as render_windows
    from .windows import Windows as Windows
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
