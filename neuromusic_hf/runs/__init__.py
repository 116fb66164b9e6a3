"""The field's test protocol on disk: pieces continued and written, and finished runs read back."""

from .finished_run import FinishedRun, read_run
from .piece_sources import PIECE_RANGES, FilePiece, PieceSource, RowPiece, choose_pieces, find_pieces, row_pieces
from .run_folder import RunFolder
from .run_writer import RunWriter
from .settings import ContinuationSettings, OutputSettings, sampling_arguments

__all__ = [
    "PIECE_RANGES",
    "RunWriter",
    "ContinuationSettings",
    "FinishedRun",
    "FilePiece",
    "OutputSettings",
    "PieceSource",
    "RowPiece",
    "RunFolder",
    "choose_pieces",
    "find_pieces",
    "read_run",
    "row_pieces",
    "sampling_arguments",
]
