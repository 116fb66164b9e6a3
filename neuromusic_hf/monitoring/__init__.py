"""What a training run shows while it trains: continuations of fixed prompts, their scores, pictures and sound."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .continuation_callback import ContinuationCallback as ContinuationCallback
    from .media import Media as Media
    from .trackers import log_media as log_media
    from .trackers import register_tracker as register_tracker
    from .watching import check_watching as check_watching
    from .watching import watch_continuations as watch_continuations
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
