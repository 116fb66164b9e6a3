"""A train split that is streamed: its pieces by passes, windows and blocks, and where a run is in it."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .blocks import StreamedBlocks as StreamedBlocks
    from .train_split import pieces_to_learn_from as pieces_to_learn_from
    from .train_split import select_splits as select_splits
    from .train_split import stream_blocks as stream_blocks
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
