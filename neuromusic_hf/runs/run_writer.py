"""A test run: pieces continued batch by batch, each written as it comes, by one process or several."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from ..bundles import ModelIdentity
from ..generation.pipeline import MidiContinuationPipeline
from ..music import RefusedFile, UnwritableScore
from .piece_files import write_piece
from .piece_sources import PieceSource, fingerprint, splits_of
from .records import LeftOutRecord, Manifest, PiecesRecord, RunSettings
from .run_folder import RunFolder
from .settings import ContinuationSettings, OutputSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunWriter:
    """
    Pieces to continue, how, and where to write.

    Which pieces make a batch depends on their indices alone, and neither on the number of processes nor on what is
    finished already: so that a run that was stopped goes on with the very numbers of an unbroken one.

    Args:
        pipeline ([`MidiContinuationPipeline`]): continues.
        pieces (sequence of [`PieceSource`]): read when it is their turn.
        folder ([`RunFolder`]): where to write.
        settings ([`ContinuationSettings`]): what decides about the notes.
        output ([`OutputSettings`]): pictures and sound.
    """

    pipeline: MidiContinuationPipeline
    pieces: Sequence[PieceSource]
    folder: RunFolder
    settings: ContinuationSettings
    output: OutputSettings

    def begin(
        self,
        *,
        sources: Sequence[str] = (),
        split: str | None = None,
        max_items: int | None = None,
        clean_test: bool = False,
        overwrite: bool = False,
        model: ModelIdentity | None = None,
    ) -> None:
        """
        Opens the folder for this run, or to go on with it.

        Args:
            sources (sequence of `str`, *optional*): where the pieces come from, to record it.
            split (`str`, *optional*): of the corpora among these, to record it.
            max_items (`int`, *optional*): that so many of the pieces there were chosen, to record it.
            clean_test (`bool`, *optional*, defaults to `False`): that those with a twin in train are left out.
            overwrite (`bool`, *optional*, defaults to `False`): begin anew, whatever the folder holds of a run.
            model ([`ModelIdentity`], *optional*): to record; that of the pipeline's model, as loaded, if not given.

        Raises:
            `ValueError`: the folder holds a run with other settings.
        """
        how = splits_of(self.pieces)
        pieces = (len(self.pieces), fingerprint(self.pieces), how.version, how.shares)
        settings = RunSettings(
            model or ModelIdentity.of(self.pipeline.model),
            PiecesRecord(list(sources), split, max_items, *pieces, clean_test or None),
            self.settings.as_record(self.pipeline.sampling_in_force(**self.settings.generation)),
            self.output.as_record(),
        )
        if finished := self.folder.open(settings, overwrite=overwrite):
            logger.info("%d of %d pieces are finished already.", len(finished), len(self.pieces))

    def end(self) -> Manifest:
        """Writes the manifest, once all shares are continued, and returns it."""
        manifest = self.folder.write_manifest()
        logger.info("%d pieces continued, left out: %s.", len(manifest.pieces), manifest.left_out or "none")
        tally = manifest.changed_by_tokenizer
        level = logging.WARNING if tally.changed else logging.INFO
        logger.log(level, "The tokenizer changed %d of them: %s.", tally.changed, tally.total)
        logger.info(
            "Look at %s: *.png to see, *.full.mid and *.wav to hear, manifest.json for the numbers.", self.folder.path
        )
        return manifest

    def continue_share(
        self, process_index: int = 0, num_processes: int = 1, should_stop: Callable[[], bool] | None = None
    ) -> None:
        """
        Continues the share of one process, but for what is finished already. The first process shows its progress.

        Args:
            process_index (`int`, *optional*, defaults to 0): of this process.
            num_processes (`int`, *optional*, defaults to 1):
                That share the pieces: each takes every `num_processes`-th batch, from the one at its index.
            should_stop (`Callable`, *optional*): asked before each batch; where it says yes, the rest is left.
        """
        size = self.settings.batch_size
        starts = range(process_index * size, len(self.pieces), num_processes * size)
        batches = [range(start, min(start + size, len(self.pieces))) for start in starts]
        total = sum(map(len, batches))
        finished = self.folder.finished()
        missing = [[index for index in batch if index not in finished] for batch in batches]
        initial = total - sum(map(len, missing))
        with tqdm(desc="Continuing", unit="piece", total=total, initial=initial, disable=process_index > 0) as bar:
            for batch, wanted in zip(batches, missing, strict=True):
                if should_stop is not None and should_stop():
                    return
                if wanted:
                    self._continue_batch(batch, wanted)
                    bar.update(len(wanted))

    def _continue_batch(self, batch: range, wanted: list[int]) -> None:
        """Continues a whole batch, as in an unbroken run, and writes the pieces `wanted` of it."""
        readable = {}
        for index in batch:
            piece = self.pieces[index]
            try:
                readable[index] = {"bytes": piece.read(), "name": piece.name}
            except RefusedFile as refused:
                self._leave_out(index, refused.reason, refused.detail)
        for index, result in zip(readable, self._results(list(readable.values())), strict=True):
            if index in wanted:
                self._write(index, result)

    def _results(self, pieces: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What the pipeline makes of pieces, one for each."""
        if not pieces:
            return []
        results = self.pipeline(
            pieces,
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

    def _write(self, index: int, result: dict[str, Any]) -> None:
        if "skipped" in result:
            self._leave_out(index, **result["skipped"])
            return
        name = self.pieces[index].name
        try:
            record = write_piece(result, index, name, self.folder.path, self.output)
        except UnwritableScore as refused:
            self._leave_out(index, "unwritable", str(refused))
        else:
            self.folder.write_record(record)

    def _leave_out(self, index: int, reason: str, detail: str) -> None:
        self.folder.write_record(LeftOutRecord(index, self.pieces[index].name, reason, detail))
