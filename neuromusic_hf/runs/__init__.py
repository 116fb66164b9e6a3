"""
Test runs on disk: pieces continued by the field's protocol, or infilled, and written; finished runs read back.

The folder of a run holds, for a piece of index 3:

- `settings.json`: what was asked ([`RunSettings`] or [`InfillRunSettings`]), by [`PieceRun.begin`], before all else.
- `003_name.prompt.mid` and the other files of the piece, by `write_piece` or `write_infill`.
- `003_name.json`: its record ([`PieceRecord`], [`InfillRecord`]; [`LeftOutRecord`] where it was left out), by
  [`RunFolder.write_record`], once its files are there: what has a record is finished.
- `manifest.json`: settings and records of all pieces ([`Manifest`], [`InfillManifest`]), by [`PieceRun.end`].
  [`read_run`] and [`read_infill_run`] read it.
"""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .finished_infills import FinishedInfillRun as FinishedInfillRun
    from .finished_infills import Infill as Infill
    from .finished_infills import read_infill_run as read_infill_run
    from .finished_run import FinishedRun as FinishedRun
    from .finished_run import read_run as read_run
    from .infill_records import InfillManifest as InfillManifest
    from .infill_records import InfillRecord as InfillRecord
    from .infill_records import InfillRunSettings as InfillRunSettings
    from .infill_records import OriginalFiles as OriginalFiles
    from .infill_records import SpanRecord as SpanRecord
    from .infill_records import TakeFiles as TakeFiles
    from .infill_records import TakeRecord as TakeRecord
    from .infill_settings import InfillSettings as InfillSettings
    from .infill_settings import named_instruments as named_instruments
    from .infill_writer import InfillWriter as InfillWriter
    from .kinds import CONTINUATIONS as CONTINUATIONS
    from .kinds import INFILLS as INFILLS
    from .kinds import RunKind as RunKind
    from .options import add_guard_options as add_guard_options
    from .options import add_run_options as add_run_options
    from .options import find_pieces_asked as find_pieces_asked
    from .options import guard_asked as guard_asked
    from .piece_run import PieceRun as PieceRun
    from .piece_sources import DEFAULT_SPLIT as DEFAULT_SPLIT
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
    from .records import guarded_counts as guarded_counts
    from .records import piece_label as piece_label
    from .records import tally_of as tally_of
    from .run_folder import RunFolder as RunFolder
    from .run_writer import RunWriter as RunWriter
    from .settings import PIECE_RANGES as PIECE_RANGES
    from .settings import ContinuationSettings as ContinuationSettings
    from .settings import OutputSettings as OutputSettings
    from .span_choice import draw_program as draw_program
    from .span_choice import draw_span as draw_span
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
