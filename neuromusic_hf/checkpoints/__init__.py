"""Checkpoints in a run's folder: whole or not there, and how a run begins from one."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .resuming import begin_run as begin_run
    from .resuming import settle_run_splits as settle_run_splits
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
