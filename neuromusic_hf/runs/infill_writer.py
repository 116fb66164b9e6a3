"""A run of infills."""

import hashlib
import logging
from dataclasses import dataclass
from typing import Any, ClassVar

from ..bundles import ModelIdentity
from ..generation import MidiInfillingPipeline
from ..music import read_midi
from .infill_files import write_infill
from .infill_records import InfillManifest, InfillRecord, InfillRunSettings
from .infill_settings import InfillSettings
from .piece_run import PieceRun
from .piece_sources import PieceSource
from .records import PiecesRecord
from .span_choice import draw_program, draw_span

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InfillWriter(PieceRun):
    """
    Pieces to infill, how, and where to write.

    What is drawn of a piece depends on the seed and on its bytes, and on no other piece.

    Args:
        pipeline ([`MidiInfillingPipeline`]): infills.
        pieces, folder, output: as of [`PieceRun`]; the folder is one of infills: `RunFolder(path, INFILLS)`.
        settings ([`InfillSettings`]): what decides about the notes.
    """

    pipeline: MidiInfillingPipeline
    settings: InfillSettings
    doing: ClassVar[str] = "Infilling"

    def end(self) -> InfillManifest:
        """As of [`PieceRun`]; tells how many spans are complete, what ended the others, and where parts stayed."""
        manifest: InfillManifest = super().end()
        if manifest.incomplete:
            total = manifest.complete + sum(manifest.incomplete.values())
            reached = ", ".join(f"{reason}: {count}" for reason, count in manifest.incomplete.items())
            logger.warning(
                "%d of %d spans are complete. What ended the others: %s.", manifest.complete, total, reached
            )
        else:
            logger.info("All %d spans are complete.", manifest.complete)
        if manifest.kept_parts:
            logger.warning(
                "In %d spans parts of instruments that the model never heard stayed: their records name them as kept.",
                manifest.kept_parts,
            )
        return manifest

    def _settings_of_run(self, model: ModelIdentity, pieces: PiecesRecord) -> InfillRunSettings:
        sampling = self.pipeline.sampling_in_force(**self.settings.generation)
        return InfillRunSettings(model, pieces, self.settings.as_record(sampling), self.output.as_record())

    def _input(self, piece: PieceSource) -> dict[str, Any]:
        """With what is drawn of it."""
        given = super()._input(piece)
        return given | self._drawn(given["bytes"]) if self.settings.draws else given

    def _drawn(self, content: bytes) -> dict[str, Any]:
        settings, score = self.settings, read_midi(content).score
        seed = f"{settings.seed} {hashlib.sha256(content).hexdigest()}"
        known = known_programs(self.pipeline)
        spans = settings.bars or []
        if settings.span_bars is not None:
            spans = [draw_span(score, settings.span_bars, seed, known)]
        if not settings.draw_program:
            return {"bars": spans}
        return {"bars": spans, "instruments": [draw_program(score, spans, seed, known)]}

    def _results(self, inputs: list[dict[str, Any]]) -> list[Any]:
        return list(self.pipeline(inputs, batch_size=self.settings.batch_size, **self.settings.arguments))

    def _write_files(self, index: int, given: dict[str, Any], result: Any) -> InfillRecord:
        takes = result if isinstance(result, list) else [result]
        return write_infill(takes, given["bytes"], index, given["name"], self.folder.path, self.output)


def known_programs(pipeline: MidiInfillingPipeline) -> set[int] | None:
    """MIDI programs that the tokenizer writes and the model was trained on, -1 for drums; `None` if it writes none."""
    controller = pipeline.controller
    return controller.writable if controller.programs else None
