"""Continuing and filling in music: the pipelines, what they take and give, and the fast decoding under them."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .control import Control as Control
    from .decoding import GeneratedRows as GeneratedRows
    from .decoding import generate_rows as generate_rows
    from .infilling_pipeline import MidiInfillingPipeline as MidiInfillingPipeline
    from .pipeline import MidiContinuationPipeline as MidiContinuationPipeline
    from .prompts import Prompt as Prompt
    from .prompts import PromptMaker as PromptMaker
    from .prompts import PromptSettings as PromptSettings
    from .results import save_continuation as save_continuation
    from .streaming import NoteStreamer as NoteStreamer
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
