"""Continuing music: the pipeline, and test runs of it that write MIDI, pictures, audio and a manifest."""

from .continuation_run import ContinuationRun, start_processes
from .control import Control
from .decoding import GeneratedRows, generate_rows
from .pipeline import MidiContinuationPipeline
from .prompts import Prompt, PromptMaker, PromptSettings
from .results import save_continuation
from .run_folder import RunFolder
from .settings import ContinuationSettings, OutputSettings, sampling_arguments
from .sources import PIECE_RANGES, FilePiece, PieceSource, RowPiece, choose_pieces, find_pieces, row_pieces
from .streaming import NoteStreamer

__all__ = [
    "PIECE_RANGES",
    "ContinuationRun",
    "ContinuationSettings",
    "Control",
    "FilePiece",
    "GeneratedRows",
    "MidiContinuationPipeline",
    "NoteStreamer",
    "OutputSettings",
    "PieceSource",
    "Prompt",
    "PromptMaker",
    "PromptSettings",
    "RowPiece",
    "RunFolder",
    "choose_pieces",
    "find_pieces",
    "generate_rows",
    "row_pieces",
    "sampling_arguments",
    "save_continuation",
    "start_processes",
]
