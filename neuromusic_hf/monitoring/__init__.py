"""What a training run shows while it trains: continuations of fixed prompts, their scores, pictures and sound."""

from .continuation_callback import ContinuationCallback
from .media import Media
from .trackers import log_media, register_tracker
from .watching import check_watching, watch_continuations

__all__ = ["ContinuationCallback", "Media", "check_watching", "log_media", "register_tracker", "watch_continuations"]
