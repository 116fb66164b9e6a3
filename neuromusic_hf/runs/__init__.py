"""
The field's test protocol on disk: pieces continued and written, and finished runs read back.

The folder of a run holds, for a piece of index 3:

- `settings.json`: what was asked ([`RunSettings`]), by [`RunWriter.begin`], before anything else.
- `003_name.prompt.mid` and the other files of the piece, by `write_piece`.
- `003_name.json`: its record ([`PieceRecord`], or [`LeftOutRecord`] where it was not continued), by
  [`RunFolder.write_record`], once its files are there: what has a record is finished.
- `manifest.json`: settings and records of all pieces ([`Manifest`]), by [`RunWriter.end`]. [`read_run`] reads it.
"""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .finished_run import FinishedRun as FinishedRun
    from .finished_run import read_run as read_run
    from .piece_sources import FilePiece as FilePiece
    from .piece_sources import PieceSource as PieceSource
    from .piece_sources import RowPiece as RowPiece
    from .piece_sources import choose_pieces as choose_pieces
    from .piece_sources import find_pieces as find_pieces
    from .piece_sources import row_pieces as row_pieces
    from .records import LeftOutRecord as LeftOutRecord
    from .records import Manifest as Manifest
    from .records import NoteCounts as NoteCounts
    from .records import PieceFiles as PieceFiles
    from .records import PieceRecord as PieceRecord
    from .records import PiecesRecord as PiecesRecord
    from .records import RunSettings as RunSettings
    from .records import piece_label as piece_label
    from .records import tally_of as tally_of
    from .run_folder import RunFolder as RunFolder
    from .run_writer import RunWriter as RunWriter
    from .settings import PIECE_RANGES as PIECE_RANGES
    from .settings import ContinuationSettings as ContinuationSettings
    from .settings import OutputSettings as OutputSettings
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
