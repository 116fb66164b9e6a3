"""How well a model predicts a split, and how the evaluations of a run went."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .language_modeling import LanguageModelingMetrics as LanguageModelingMetrics
    from .language_modeling import row_statistics as row_statistics
    from .language_modeling import tokens_per_note as tokens_per_note
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
