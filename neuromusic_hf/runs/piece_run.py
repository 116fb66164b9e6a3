"""A test run: pieces done batch by batch, each written as it comes, by one process or several."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tqdm import tqdm

from ..bundles import ModelIdentity
from ..music import RefusedFile, UnwritableScore
from .piece_sources import PieceSource, fingerprint, splits_of
from .records import LeftOutRecord, PiecesRecord
from .run_folder import RunFolder
from .settings import OutputSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PieceRun(ABC):
    """
    Pieces to do something with, how, and where to write.

    Which pieces make a batch depends on their indices alone, and neither on the number of processes nor on what is
    finished already: so that a run that was stopped goes on with the very numbers of an unbroken one.

    Args:
        pipeline ([`~transformers.Pipeline`]): what does it.
        pieces (sequence of [`PieceSource`]): read when it is their turn.
        folder ([`RunFolder`]): where to write.
        settings: what decides about the notes, with a `batch_size`.
        output ([`OutputSettings`]): pictures and sound.
    """

    pipeline: Any
    pieces: Sequence[PieceSource]
    folder: RunFolder
    settings: Any
    output: OutputSettings

    doing: ClassVar[str]
    """What the bar of progress says."""

    @abstractmethod
    def _settings_of_run(self, model: ModelIdentity, pieces: PiecesRecord) -> Any:
        """What `settings.json` is to hold."""

    @abstractmethod
    def _results(self, inputs: list[dict[str, Any]]) -> list[Any]:
        """What the pipeline makes of inputs, one for each."""

    @abstractmethod
    def _write_files(self, index: int, given: dict[str, Any], result: Any) -> Any:
        """Writes the files of a piece, and returns its record. Raises [`UnwritableScore`] before it writes one."""

    def _input(self, piece: PieceSource) -> dict[str, Any]:
        """What the pipeline gets of a piece. Raises [`RefusedFile`] where it cannot be read."""
        return {"bytes": piece.read(), "name": piece.name}

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
        found = (len(self.pieces), fingerprint(self.pieces), how.version, how.shares)
        pieces = PiecesRecord(list(sources), split, max_items, *found, clean_test or None)
        settings = self._settings_of_run(model or ModelIdentity.of(self.pipeline.model), pieces)
        if finished := self.folder.open(settings, overwrite=overwrite):
            logger.info("%d of %d pieces are finished already.", len(finished), len(self.pieces))

    def write_share(
        self, process_index: int = 0, num_processes: int = 1, should_stop: Callable[[], bool] | None = None
    ) -> None:
        """
        Does the share of one process, but for what is finished already. The first process shows its progress.

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
        with tqdm(desc=self.doing, unit="piece", total=total, initial=initial, disable=process_index > 0) as bar:
            for batch, wanted in zip(batches, missing, strict=True):
                if should_stop is not None and should_stop():
                    return
                if wanted:
                    self._write_batch(batch, wanted)
                    bar.update(len(wanted))

    def end(self) -> Any:
        """Writes the manifest, once all shares are done, and returns it, as the kind of the folder says."""
        manifest = self.folder.write_manifest()
        logger.info("%d pieces %s, left out: %s.", len(manifest.pieces), manifest.verb, manifest.left_out or "none")
        tally = manifest.changed_by_tokenizer
        level = logging.WARNING if tally.changed else logging.INFO
        logger.log(level, "The tokenizer changed %d of them: %s.", tally.changed, tally.total)
        where, music = self.folder.path, self.folder.kind.music
        logger.info("Look at %s: *.png to see, %s and *.wav to hear, manifest.json for the numbers.", where, music)
        return manifest

    def _write_batch(self, batch: range, wanted: list[int]) -> None:
        """Does a whole batch, as in an unbroken run, and writes the pieces `wanted` of it."""
        inputs = {}
        for index in batch:
            try:
                inputs[index] = self._input(self.pieces[index])
            except RefusedFile as refused:
                self._leave_out(index, refused.reason, refused.detail)
        results = self._results(list(inputs.values())) if inputs else []
        for (index, given), result in zip(inputs.items(), results, strict=True):
            if index in wanted:
                self._write(index, given, result)

    def _write(self, index: int, given: dict[str, Any], result: Any) -> None:
        if isinstance(result, dict) and "skipped" in result:
            self._leave_out(index, **result["skipped"])
            return
        try:
            record = self._write_files(index, given, result)
        except UnwritableScore as refused:
            self._leave_out(index, "unwritable", str(refused))
        else:
            self.folder.write_record(record)

    def _leave_out(self, index: int, reason: str, detail: str) -> None:
        self.folder.write_record(LeftOutRecord(index, self.pieces[index].name, reason, detail))
