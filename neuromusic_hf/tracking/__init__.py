"""The trackers of a training run: how they begin, what they were told, and what became of those that fail."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .trackers import check_trackers as check_trackers
    from .trackers import default_run_name as default_run_name
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
