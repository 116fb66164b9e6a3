"""
The field's test protocol on disk: pieces continued and written, and finished runs read back.

The folder of a run holds, for a piece of index 3:

- `settings.json`: what was asked ([`RunSettings`]), by [`RunWriter.begin`], before anything else.
- `003_name.prompt.mid` and the other files of the piece, by `write_piece`.
- `003_name.json`: its record ([`PieceRecord`], or [`LeftOutRecord`] where it was not continued), by
  [`RunFolder.write_record`], once its files are there: what has a record is finished.
- `manifest.json`: settings and records of all pieces ([`Manifest`]), by [`RunWriter.end`]. [`read_run`] reads it.
"""

from .finished_run import FinishedRun, read_run
from .piece_sources import PIECE_RANGES, FilePiece, PieceSource, RowPiece, choose_pieces, find_pieces, row_pieces
from .records import (
    LeftOutRecord,
    Manifest,
    NoteCounts,
    PieceFiles,
    PieceRecord,
    PiecesRecord,
    RunSettings,
    piece_label,
    tally_of,
)
from .run_folder import RunFolder
from .run_writer import RunWriter
from .settings import ContinuationSettings, OutputSettings

__all__ = [
    "PIECE_RANGES",
    "ContinuationSettings",
    "FilePiece",
    "FinishedRun",
    "LeftOutRecord",
    "Manifest",
    "NoteCounts",
    "OutputSettings",
    "PieceFiles",
    "PieceRecord",
    "PieceSource",
    "PiecesRecord",
    "RowPiece",
    "RunFolder",
    "RunSettings",
    "RunWriter",
    "choose_pieces",
    "find_pieces",
    "piece_label",
    "read_run",
    "row_pieces",
    "tally_of",
]
