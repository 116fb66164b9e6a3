"""Searches for the options of a training run that serve it best."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .plan import SearchPlan as SearchPlan
    from .plan import plan_search as plan_search
    from .search import SearchOptions as SearchOptions
    from .search import run_search as run_search
    from .space import DEFAULT_SPACE as DEFAULT_SPACE
    from .space import Space as Space
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
