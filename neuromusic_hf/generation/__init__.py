"""Continuing music: the pipeline, what it takes and gives, and the fast decoding under it."""

from .control import Control
from .decoding import GeneratedRows, generate_rows
from .pipeline import MidiContinuationPipeline
from .prompts import Prompt, PromptMaker, PromptSettings
from .results import save_continuation
from .streaming import NoteStreamer

__all__ = [
    "Control",
    "GeneratedRows",
    "MidiContinuationPipeline",
    "NoteStreamer",
    "Prompt",
    "PromptMaker",
    "PromptSettings",
    "generate_rows",
    "save_continuation",
]
