"""Fill in the middle, on music: what is cut out of a piece, and how a model reads the rest."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .cuts import Cut as Cut
    from .encoding import CutEncoder as CutEncoder
    from .layout import InfillSample as InfillSample
    from .middle_frame import MiddleFrame as MiddleFrame
    from .middle_grammar import MiddleGrammar as MiddleGrammar
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
