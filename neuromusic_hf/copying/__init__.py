"""Which runs of notes are shared with training pieces, whatever their key: the measure, and what finds them."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .copy_index import CopyIndex as CopyIndex
    from .guard_counts import GuardCounts as GuardCounts
    from .intervals import note_intervals as note_intervals
    from .suffix_array import SuffixArray as SuffixArray
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
