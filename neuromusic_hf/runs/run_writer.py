"""A run of continuations."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ..bundles import ModelIdentity
from ..generation.pipeline import MidiContinuationPipeline
from .piece_files import write_piece
from .piece_run import PieceRun
from .records import PieceRecord, PiecesRecord, RunSettings
from .settings import ContinuationSettings, GuardRecord


@dataclass(frozen=True)
class RunWriter(PieceRun):
    """
    Pieces to continue, how, and where to write.

    Args:
        pipeline ([`MidiContinuationPipeline`]): continues, with the copy guard that it was made with.
        pieces, folder, output: as of [`PieceRun`].
        settings ([`ContinuationSettings`]): what decides about the notes.
    """

    pipeline: MidiContinuationPipeline
    settings: ContinuationSettings
    doing: ClassVar[str] = "Continuing"

    def _settings_of_run(self, model: ModelIdentity, pieces: PiecesRecord) -> RunSettings:
        sampling = self.pipeline.sampling_in_force(**self.settings.generation)
        guard = self.pipeline.guard_in_force()
        record = self.settings.as_record(sampling, None if guard is None else GuardRecord(**guard))
        return RunSettings(model, pieces, record, self.output.as_record())

    def _results(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        results = self.pipeline(
            inputs,
            batch_size=self.settings.batch_size,
            prompt_length=self.settings.prompt_length,
            original_length=self.settings.continue_length,
            original_required=True,
            max_new_tokens=self.settings.continue_length,
            seed=self.settings.seed,
            constrained=self.settings.constrained,
            **self.settings.generation,
        )
        return list(results)

    def _write_files(self, index: int, given: dict[str, Any], result: dict[str, Any]) -> PieceRecord:
        return write_piece(result, index, given["name"], self.folder.path, self.output)
