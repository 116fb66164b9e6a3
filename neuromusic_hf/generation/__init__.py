"""Continuing music: prompts, generation, and what a run of it writes."""

from .continuation import Continuation, ContinuationSettings, Prompt, continue_prompts, make_prompt, make_prompts
from .music import new_music
from .output import OutputSettings, continuation_scores, write_continuations
from .sources import PieceSource, find_pieces

__all__ = [
    "Continuation",
    "ContinuationSettings",
    "OutputSettings",
    "PieceSource",
    "Prompt",
    "continuation_scores",
    "continue_prompts",
    "find_pieces",
    "make_prompt",
    "make_prompts",
    "new_music",
    "write_continuations",
]
